use super::*;
use crate::device::nvml::code;

fn absent() -> Trouble {
    Trouble::Library("no such file".to_owned())
}

fn mismatch() -> Trouble {
    Trouble::Driver(DriverError::VersionMismatch(code(18)))
}

fn unloaded() -> Trouble {
    Trouble::Driver(DriverError::DriverNotLoaded(code(9)))
}

/// The place that is taken of three, which answer in this way after the loader's own failed so.
fn taken(
    first: Trouble,
    mut answers: Vec<Option<Result<(), Trouble>>>,
) -> (Result<PathBuf, Trouble>, usize) {
    let places = ["/a/lib", "/b/lib", "/c/lib"].map(PathBuf::from);
    let mut tried = 0;
    let found = first_of(first, &places, |place| {
        tried += 1;
        let answer = answers.remove(0)?;
        Some(answer.map(|()| place.to_owned()))
    });
    (found, tried)
}

#[test]
fn the_first_place_that_works_is_taken_and_none_behind_it_is_touched() {
    let (found, tried) = taken(absent(), vec![None, Some(Ok(())), Some(Ok(()))]);
    assert_eq!(found.unwrap(), Path::new("/b/lib"));
    assert_eq!(tried, 2);
}

#[test]
fn a_stale_library_of_the_loader_doesn_t_hide_the_driver_s_own() {
    let (found, _) = taken(mismatch(), vec![Some(Err(mismatch())), Some(Ok(())), None]);
    assert_eq!(found.unwrap(), Path::new("/b/lib"));
}

#[test]
fn where_the_driver_isn_t_loaded_no_other_library_is() {
    let (found, tried) = taken(unloaded(), Vec::new());
    assert!(matches!(
        found,
        Err(Trouble::Driver(DriverError::DriverNotLoaded(_)))
    ));
    assert_eq!(tried, 0);
}

#[test]
fn a_driver_that_refuses_says_more_than_a_file_that_isn_t_there() {
    let (found, _) = taken(absent(), vec![None, Some(Err(unloaded())), None]);
    assert!(matches!(
        found,
        Err(Trouble::Driver(DriverError::DriverNotLoaded(_)))
    ));
    let (found, _) = taken(mismatch(), vec![None, None, None]);
    assert!(matches!(
        found,
        Err(Trouble::Driver(DriverError::VersionMismatch(_)))
    ));
}

#[test]
fn if_there_is_none_the_error_says_where_it_looked_and_what_it_refused() {
    let refused = Trouble::Library("not loaded: others may write to /b".to_owned());
    let (found, _) = taken(absent(), vec![None, Some(Err(refused)), None]);
    let Err(Trouble::Library(said)) = found else {
        panic!("there is none")
    };
    let expected =
        "no such file; /b/lib: not loaded: others may write to /b; also looked in /a, /b, /c";
    assert_eq!(said, expected);
}

#[test]
fn a_named_library_is_the_only_one() {
    let mut libraries = Libraries::new(Some(PathBuf::from("/nonexistent/libnvidia-ml.so.1")));
    let Err(DriverError::LibraryMissing { problem, .. }) = libraries.load() else {
        panic!("no such file")
    };
    assert!(
        problem.contains("/nonexistent/libnvidia-ml.so.1"),
        "{problem}"
    );
    assert!(
        problem.contains("--nvml.library") && !problem.contains("looked in"),
        "{problem}"
    );
}

#[test]
fn under_wsl_the_driver_belongs_to_windows() {
    for release in [
        "5.15.167.4-microsoft-standard-WSL2\n",
        "4.4.0-19041-Microsoft\n",
    ] {
        let (first, second) = remedies(release);
        assert!(first.contains("in Windows, and none in Linux"), "{first}");
        assert!(second.contains("nvidia-smi.exe"), "{second}");
    }
    for release in ["6.12.48+deb13-amd64\n", ""] {
        assert_eq!(remedies(release).0, REMEDY, "{release}");
    }
}
