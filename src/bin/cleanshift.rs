//! The shell: covers the station, opens it for a badge and PIN, and cleans up after every session.

// A program for consoles would open one over the lock screen.
#![cfg_attr(windows, windows_subsystem = "windows")]

#[global_allocator]
static HEAP: cleanshift::platform::native::heap::Wiping = cleanshift::platform::native::heap::Wiping;

fn main() -> std::process::ExitCode {
    #[cfg(windows)]
    if let Some(arguments) = cleanshift::platform::windows::watch::wanted() {
        return cleanshift::platform::windows::watch::watch(&arguments);
    }
    cleanshift::shell::main()
}
