//! Where the loader found a library that it was asked for by its bare name.

use std::fs;
use std::path::{Path, PathBuf};

use super::places::SONAME;

/// By the kernel's list of what this process has mapped.
pub(crate) fn mapped() -> Option<PathBuf> {
    of(&fs::read_to_string("/proc/self/maps").ok()?)
}

fn of(maps: &str) -> Option<PathBuf> {
    let stem = SONAME.trim_end_matches(".1");
    let is_it = |path: &&str| {
        let name = Path::new(path).file_name().unwrap_or_default();
        name.to_string_lossy().starts_with(stem)
    };
    let mut paths = maps
        .lines()
        .filter_map(|line| Some(&line[line.find('/')?..]));
    paths.find(is_it).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_that_of_the_mapped_library() {
        let maps = "7f00-7f01 r--p 00000000 08:01 42   /usr/lib/libc.so.6\n\
                    7f02-7f03 r-xp 00001000 08:01 43   /opt/my driver/libnvidia-ml.so.580.65\n\
                    7f04-7f05 rw-p 00000000 00:00 0    [heap]\n";
        let path = PathBuf::from("/opt/my driver/libnvidia-ml.so.580.65");
        assert_eq!(of(maps), Some(path));
        assert_eq!(of("7f04-7f05 rw-p 00000000 00:00 0 [heap]\n"), None);
    }
}
