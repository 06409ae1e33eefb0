//! PID 1 of a capsule.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cleanshift::platform::linux::init::main()
}

/// The Windows station has no such part.
#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("cleanshift-init: belongs to the Linux station, and does nothing here");
    std::process::ExitCode::from(2)
}
