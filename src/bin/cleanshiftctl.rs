//! What IT and auditors use: policies, the roster, the log, the demo.

fn main() -> std::process::ExitCode {
    cleanshift::ctl::main()
}
