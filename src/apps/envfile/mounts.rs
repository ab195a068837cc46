//! Finds out whether a process has mounted a file by itself, as a container does with `-v
//! app.env:/app.env`. Such a mount keeps showing the same file, even after it is replaced.
//!
//! This searches the mounts of all visible processes. Those of other users are invisible under
//! `ProtectProc=invisible` or inside a container; then nothing is found, and nothing is claimed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// More processes than a node runs; only a bound.
const MOST_PROCESSES: usize = 100_000;
/// Maximum length of one process's mount table.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The kernel's suffix for a file that was removed from its directory.
const DELETED: &[u8] = b"//deleted";

/// A process that has mounted the file by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    pub pid: u32,
    /// The mount point, as that process sees it.
    pub at: PathBuf,
    /// It shows an earlier file of that name, and no later change.
    pub is_former: bool,
}

/// A mount of this file alone; a mount of an earlier file comes before one of the present file.
pub(crate) fn alone(target: &Path) -> Option<Mounted> {
    let own = mounts_of("self");
    let place = Place::of(&own, target)?;
    let mut seen = BTreeSet::new();
    let mut found = None;
    for process in fs::read_dir("/proc").ok()?.flatten().take(MOST_PROCESSES) {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Processes share their mounts with many others; skip those, if that is visible.
        let namespace = fs::read_link(process.path().join("ns/mnt"));
        if namespace.is_ok_and(|namespace| !seen.insert(namespace)) {
            continue;
        }
        for mount in mounts_of(&pid.to_string()) {
            let Some(is_former) = place.is_shown_by(&mount) else {
                continue;
            };
            let at = mount.point;
            let mounted = Mounted { pid, at, is_former };
            if is_former {
                return Some(mounted);
            }
            found.get_or_insert(mounted);
        }
    }
    found
}

/// Whether something is mounted at this very file, as this process sees it: then the file can't be
/// replaced.
pub(crate) fn is_point(target: &Path) -> bool {
    mounts_of("self").iter().any(|mount| mount.point == target)
}

/// The fields of one line of mountinfo that matter here.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: Vec<u8>,
    /// The mounted part of the file system.
    root: Vec<u8>,
    point: PathBuf,
}

/// A file's place in its file system.
#[derive(Debug)]
struct Place {
    device: Vec<u8>,
    path: Vec<u8>,
}

impl Place {
    fn of(own: &[Mount], target: &Path) -> Option<Self> {
        // The last one of several mounts over each other.
        let over = own.iter().filter(|mount| target.starts_with(&mount.point));
        let mount = over.max_by_key(|mount| mount.point.components().count())?;
        let rest = target.strip_prefix(&mount.point).ok()?;
        if rest.as_os_str().is_empty() {
            return None;
        }
        let root = mount.root.strip_suffix(b"/").unwrap_or(&mount.root);
        Some(Self {
            device: mount.device.clone(),
            path: [root, b"/", rest.as_os_str().as_bytes()].concat(),
        })
    }

    /// Whether a mount shows this file alone, and whether an earlier one.
    fn is_shown_by(&self, mount: &Mount) -> Option<bool> {
        if mount.device != self.device {
            return None;
        }
        let former = mount.root.strip_suffix(DELETED);
        (former.unwrap_or(&mount.root) == self.path).then_some(former.is_some())
    }
}

fn mounts_of(process: &str) -> Vec<Mount> {
    let mut text = Vec::new();
    let file = File::open(format!("/proc/{process}/mountinfo"));
    // The process has ended, or isn't visible.
    let read = file.and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
    if read.is_err() {
        return Vec::new();
    }
    text.split(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect()
}

/// `36 35 98:0 /root /point …`, with blanks in names as `\040`.
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    Some(Mount {
        device: fields.next()?.to_vec(),
        root: unescaped(fields.next()?),
        point: PathBuf::from(std::ffi::OsString::from_vec(unescaped(fields.next()?))),
    })
}

fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind.get(..3).filter(|_| *first == b'\\');
        let code = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        plain.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            behind.get(3..).unwrap_or_default()
        } else {
            behind
        };
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(line: &str) -> Mount {
        parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn a_mount_of_the_file_alone_is_told_from_one_of_its_directory() {
        let own = [
            mount("22 1 8:1 / / rw - ext4 /dev/sda1 rw"),
            mount("30 22 8:2 /data /srv\\040x rw shared:3 - ext4 /dev/sdb1 rw"),
        ];
        let place = Place::of(&own, Path::new("/srv x/app/run.env")).unwrap();
        assert_eq!(place.path, b"/data/app/run.env");
        for (line, shown) in [
            (
                "1 1 8:2 /data/app/run.env /run.env rw - ext4 x rw",
                Some(false),
            ),
            (
                "1 1 8:2 /data/app/run.env//deleted /run.env rw - ext4 x rw",
                Some(true),
            ),
            ("1 1 8:2 /data/app /app rw - ext4 x rw", None),
            ("1 1 8:1 /data/app/run.env /run.env rw - ext4 x rw", None),
        ] {
            assert_eq!(place.is_shown_by(&mount(line)), shown, "{line}");
        }
        let root = Place::of(&own, Path::new("/etc/app.env")).unwrap();
        assert_eq!(root.path, b"/etc/app.env");
    }

    #[test]
    fn what_is_no_mount_and_no_escape_stays_what_it_is() {
        assert_eq!(parse(b"36 35 98:0"), None);
        assert_eq!(unescaped(br"a\040b\9z\04"), br"a b\9z\04");
    }
}
