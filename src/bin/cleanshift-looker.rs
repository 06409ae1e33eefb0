//! Counts what only root may see, for the account that calls it.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cleanshift::platform::linux::looker::main()
}

/// The Windows station has no such part.
#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("cleanshift-looker: belongs to the Linux station, and does nothing here");
    std::process::ExitCode::from(2)
}
