//! PID 1 of a capsule.

fn main() -> std::process::ExitCode {
    cleanshift::platform::linux::init::main()
}
