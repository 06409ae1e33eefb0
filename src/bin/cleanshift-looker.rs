//! Counts what only root may see, for the account that calls it.

fn main() -> std::process::ExitCode {
    cleanshift::platform::linux::looker::main()
}
