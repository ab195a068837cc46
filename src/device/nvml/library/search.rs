//! Loads the named library and no other; without a name, the one that the system's loader finds, or
//! else the first in [`super::places`] that works.

use std::collections::BTreeSet;
use std::fs;
use std::mem;
use std::path::{Path, PathBuf};

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use crate::device::DriverError;
use crate::device::nvml::codes::driver_error;

use super::mapped::mapped;
use super::origin::Origin;
use super::owner::owned;
use super::places::{SONAME, places};

/// What to do about a library that can't be loaded.
const REMEDY: &str = "install the NVIDIA driver on this node (in a container: run it with the \
                      NVIDIA container runtime; in a pod: runtimeClassName, or driver.hostPath, or the toolkit \
                      refuses NVIDIA_VISIBLE_DEVICES to unprivileged pods), or name the library with --nvml.library";

/// Under WSL, a driver for Linux would take the place of the library that Windows' driver brings.
const REMEDY_IN_WSL: &str = "this is WSL: install or update the NVIDIA driver in Windows, and none in Linux; then run \
                             `wsl --shutdown` in Windows. WSL mounts the library at /usr/lib/wsl/lib";

/// The libraries that this process may load.
#[derive(Debug)]
pub(crate) struct Libraries {
    /// The only one, if there is one.
    named: Option<PathBuf>,
    /// These lack functions that nvml-wrapper needs. They aren't loaded a second time, because they
    /// can't be unloaded again.
    incomplete: BTreeSet<PathBuf>,
}

/// Why a library isn't the one.
#[derive(Debug)]
enum Trouble {
    /// It can't be loaded, or isn't NVML.
    Library(String),
    /// It is NVML, and its driver doesn't answer it.
    Driver(DriverError),
}

impl Trouble {
    /// Another library may do better. If the driver isn't loaded, none does.
    const fn is_of_the_library(&self) -> bool {
        matches!(
            self,
            Self::Library(_) | Self::Driver(DriverError::VersionMismatch(_))
        )
    }
}

impl Libraries {
    pub(crate) const fn new(named: Option<PathBuf>) -> Self {
        Self {
            named,
            incomplete: BTreeSet::new(),
        }
    }

    pub(crate) fn load(&mut self) -> Result<(Nvml, Origin), DriverError> {
        if let Some(named) = self.named.clone() {
            return match self.open(&named) {
                Ok(nvml) => Ok((nvml, Origin::Named(named))),
                Err(Trouble::Driver(error)) => Err(error),
                Err(Trouble::Library(why)) => Err(missing(&why)),
            };
        }
        let first = match self.open(Path::new(SONAME)) {
            Ok(nvml) => return Ok((nvml, Origin::Loader(mapped()))),
            Err(trouble) => trouble,
        };
        let found = first_of(first, &places(), |place| {
            let real = match owned(place) {
                Ok(real) => real,
                Err(why) if why.is_absence() => return None,
                Err(why) => return Some(Err(Trouble::Library(format!("not loaded: {why}")))),
            };
            Some(self.open(&real).map(|nvml| (nvml, Origin::Place(real))))
        });
        found.map_err(|error| match error {
            Trouble::Driver(error) => error,
            Trouble::Library(why) => missing(&why),
        })
    }

    fn open(&mut self, path: &Path) -> Result<Nvml, Trouble> {
        if self.incomplete.contains(path) {
            return Err(incomplete(path));
        }
        let nvml = Nvml::builder().lib_path(path.as_os_str()).init();
        let nvml = nvml.map_err(|error| trouble(path, error))?;
        let lib = nvml.lib();
        if lib.nvmlShutdown.is_err() || lib.nvmlEventSetFree.is_err() {
            // nvml-wrapper panics when it drops a value that such a library can't free. So the
            // library stays loaded.
            mem::forget(nvml);
            self.incomplete.insert(path.to_owned());
            return Err(incomplete(path));
        }
        Ok(nvml)
    }
}

/// The first that works of `places`, after the loader's own failed by `first`. `open` returns `None`
/// for a place where there is nothing. If none works, the error tells them all.
fn first_of<T>(
    first: Trouble,
    places: &[PathBuf],
    mut open: impl FnMut(&Path) -> Option<Result<T, Trouble>>,
) -> Result<T, Trouble> {
    if !first.is_of_the_library() {
        return Err(first);
    }
    let mut drivers = Vec::new();
    let mut said = Vec::new();
    let mut note = |trouble| match trouble {
        Trouble::Driver(error) => drivers.push(error),
        Trouble::Library(why) => said.push(why),
    };
    note(first);
    for place in places {
        match open(place) {
            None => {}
            Some(Ok(found)) => return Ok(found),
            Some(Err(Trouble::Library(why))) => {
                note(Trouble::Library(format!("{}: {why}", place.display())));
            }
            Some(Err(error)) => note(error),
        }
    }
    // A driver that refuses its library says more than a library that isn't there.
    if !drivers.is_empty() {
        return Err(Trouble::Driver(drivers.swap_remove(0)));
    }
    let directories = places.iter().filter_map(|place| place.parent());
    let directories: Vec<_> = directories.map(|it| it.display().to_string()).collect();
    Err(Trouble::Library(format!(
        "{}; also looked in {}",
        said.join("; "),
        directories.join(", ")
    )))
}

fn trouble(path: &Path, error: NvmlError) -> Trouble {
    match error {
        // The loader's error names the file.
        NvmlError::LibloadingError(error) => Trouble::Library(error.to_string()),
        NvmlError::LibraryNotFound => Trouble::Library(format!("{}: {error}", path.display())),
        NvmlError::FailedToLoadSymbol(_) => incomplete(path),
        other => Trouble::Driver(driver_error("nvmlInit_v2", other)),
    }
}

/// For a library that isn't NVML, or not all of it.
fn incomplete(path: &Path) -> Trouble {
    Trouble::Library(format!(
        "{} is not a complete NVML library; check --nvml.library",
        path.display()
    ))
}

fn missing(why: &str) -> DriverError {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease");
    let (first, remedy) = remedies(&release.unwrap_or_default());
    DriverError::LibraryMissing {
        problem: format!("the NVML library can't be loaded: {why}; {first}"),
        remedy,
    }
}

/// The remedy after the places, and a second one. `release`: of the kernel.
fn remedies(release: &str) -> (&'static str, &'static str) {
    // Microsoft's kernels are called `5.15.167.4-microsoft-standard-WSL2`, and WSL 1 says `Microsoft`.
    if release.to_ascii_lowercase().contains("microsoft") {
        let see = "nvidia-smi.exe in Windows must show the GPU";
        (REMEDY_IN_WSL, see)
    } else {
        (
            REMEDY,
            "in a container, set NVIDIA_DRIVER_CAPABILITIES=utility",
        )
    }
}

#[cfg(test)]
mod tests;
