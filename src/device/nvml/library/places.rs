//! Where drivers are mounted that the system's loader doesn't know, in the order of the search.
//! `docs/configuration.md` lists them.

use std::path::PathBuf;

/// How Debian and Ubuntu name their directory of libraries, on the host and in a driver's container.
const TRIPLET: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-linux-gnu"
} else {
    "x86_64-linux-gnu"
};

/// The library's name as drivers install it; nvml-wrapper's default on Linux.
pub(crate) const SONAME: &str = "libnvidia-ml.so.1";

/// Full paths of the library. Each is tried only if all before it fail.
pub(crate) fn places() -> Vec<PathBuf> {
    let directories = [
        // The root of the GPU operator's driver container: Ubuntu's, then Red Hat's.
        format!("/run/nvidia/driver/usr/lib/{TRIPLET}"),
        "/run/nvidia/driver/usr/lib64".to_owned(),
        // Where device plugins mount it into a pod: GKE's, and old container toolkits.
        "/usr/local/nvidia/lib64".to_owned(),
        // The node of GKE itself.
        "/home/kubernetes/bin/nvidia/lib64".to_owned(),
        // The container toolkit keeps the host's path, which the image's loader may not search: the
        // libraries of an Ubuntu host in an image of Red Hat, and the other way round.
        format!("/usr/lib/{TRIPLET}"),
        "/usr/lib64".to_owned(),
        // NixOS.
        "/run/opengl-driver/lib".to_owned(),
        // WSL: Windows' driver.
        "/usr/lib/wsl/lib".to_owned(),
    ];
    let path = |directory| PathBuf::from(directory).join(SONAME);
    directories.into_iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_absolute_and_there_once() {
        let places = places();
        for (at, place) in places.iter().enumerate() {
            assert!(place.is_absolute() && place.ends_with(SONAME), "{place:?}");
            assert!(!places[..at].contains(place), "{place:?}");
        }
    }

    #[test]
    fn the_documents_list_the_places_in_their_order() {
        let text = include_str!("../../../../docs/configuration.md");
        let mut after = 0;
        for place in places() {
            let directory = place.parent().unwrap().display().to_string();
            let directory = directory.replace(TRIPLET, "<triplet>");
            let at = text[after..].find(&format!("`{directory}`"));
            after += at.unwrap_or_else(|| panic!("{directory}, in this order"));
        }
    }
}
