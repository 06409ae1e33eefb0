//! The shell: covers the station, opens it for a badge and PIN, and cleans up after every session.

fn main() -> std::process::ExitCode {
    cleanshift::shell::main()
}
