//! The Windows service that gives each session an account of its own.

#[cfg(windows)]
fn main() -> std::process::ExitCode {
    cleanshift::platform::windows::service::main()
}

/// The Linux station has no such part.
#[cfg(not(windows))]
fn main() -> std::process::ExitCode {
    eprintln!("cleanshift-service: belongs to the Windows station, and does nothing here");
    std::process::ExitCode::from(2)
}
