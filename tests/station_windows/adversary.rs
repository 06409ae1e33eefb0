//! A program of a session that wants to outlive it: detached children, an attempt to leave the job, files held
//! open, traps laid in the profile, something on the clipboard and in Credential Manager. It tells what came of each in a
//! file, so that a test can see that it was tried.
//!
//! `adversary WORDS…`, or the words in the variable `ADVERSARY`:
//! `stay` · `children COUNT REPORT` · `breakaway REPORT` · `hold FILE REPORT` · `traps PLACE OUTSIDE REPORT` ·
//! `copy TEXT REPORT` · `keep NAME REPORT` · `all PLACE` (each of these, with its report in that place) · `exit CODE`;
//! for who looks from outside of the session: `paste` · `kept NAME`

fn main() {
    #[cfg(windows)]
    adversary::main();
}

#[cfg(windows)]
pub(crate) mod adversary {
    //! What it does.

    use std::fs;
    use std::os::windows::fs::OpenOptionsExt as _;
    use std::os::windows::process::CommandExt as _;
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    const BREAKAWAY: u32 = 0x0100_0000;
    const DETACHED: u32 = 0x0000_0008;
    const NEW_GROUP: u32 = 0x0000_0200;

    /// Where it finds its words, when it is part of another program.
    pub(crate) const WORDS: &str = "ADVERSARY";

    pub(crate) fn main() {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let words = if given.is_empty() { words() } else { given };
        run(&words, &|words| {
            let mut command = own();
            let _ = command.args(words);
            command
        });
    }

    /// What cannot be done ends it with a code that no test expects.
    trait Must<T> {
        fn must(self, what: &str) -> T;
    }

    impl<T, E: std::fmt::Display> Must<T> for Result<T, E> {
        fn must(self, what: &str) -> T {
            self.unwrap_or_else(|error| {
                eprintln!("adversary: {what}: {error}");
                std::process::exit(101)
            })
        }
    }

    /// The words of the environment.
    #[expect(clippy::disallowed_methods, reason = "its words come by the environment")]
    pub(crate) fn words() -> Vec<String> {
        let words = std::env::var(WORDS).unwrap_or_default();
        words.split('|').map(str::to_owned).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a hostile program starts others as it likes")]
    pub(crate) fn own() -> Command {
        Command::new(std::env::current_exe().must("its own program"))
    }

    /// Does what the words say; `again` is how it starts itself with other words.
    pub(crate) fn run(words: &[String], again: &dyn Fn(&[String]) -> Command) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let say = |report: &str, what: String| {
            // Whole or not at all: a test reads it as soon as it is there.
            let new = format!("{report}.new");
            fs::write(&new, what).must("a report");
            fs::rename(new, report).must("a report");
        };
        match words.as_slice() {
            ["children", count, report] => {
                let count: usize = count.parse().must("a number");
                let mut pids = Vec::new();
                for _ in 0..count {
                    let mut command = again(&["stay".to_owned()]);
                    match command.creation_flags(DETACHED | NEW_GROUP).spawn() {
                        Ok(child) => pids.push(child.id().to_string()),
                        Err(error) => pids.push(format!("refused {}", error.raw_os_error().unwrap_or(0))),
                    }
                }
                say(report, pids.join("\n"));
                stay();
            }
            ["breakaway", report] => {
                let mut command = again(&["stay".to_owned()]);
                say(
                    report,
                    match command.creation_flags(BREAKAWAY | DETACHED).spawn() {
                        Ok(child) => format!("started {}", child.id()),
                        Err(error) => format!("refused {}", error.raw_os_error().unwrap_or(0)),
                    },
                );
                stay();
            }
            ["hold", file, report] => {
                let held =
                    fs::OpenOptions::new().write(true).create(true).truncate(false).share_mode(0).open(file);
                let _held = held.must("a file to hold");
                say(report, "held".to_owned());
                stay();
            }
            ["traps", place, outside, report] => {
                say(report, traps(Path::new(place), Path::new(outside)));
                stay();
            }
            ["copy", text, report] => {
                say(report, left::copy(text));
                stay();
            }
            ["keep", name, report] => {
                say(report, left::keep(name));
                stay();
            }
            // Without a ready end: a look from outside prints what there is.
            ["paste"] => println!("{}", left::paste()),
            ["kept", name] => println!("{}", if left::kept(name) { "kept" } else { "none" }),
            ["all", place] => {
                let to = |name: &str| format!("{place}\\{name}.txt");
                let own = std::env::temp_dir().display().to_string();
                let all = [
                    vec!["children".to_owned(), "2".to_owned(), to("children")],
                    vec!["breakaway".to_owned(), to("breakaway")],
                    vec!["hold".to_owned(), format!("{own}\\held.txt"), to("hold")],
                    vec!["traps".to_owned(), own.clone(), format!("{place}\\outside"), to("traps")],
                    vec!["copy".to_owned(), "Mrs. Example, ward 4".to_owned(), to("copy")],
                    vec!["keep".to_owned(), "portal of Mrs. Example".to_owned(), to("keep")],
                ];
                for words in all {
                    drop(again(&words).spawn().must("a part of it"));
                }
                say(&to("where"), own);
                stay();
            }
            ["exit", code] => std::process::exit(code.parse().must("a number")),
            _ => stay(),
        }
    }

    /// Read-only files, paths longer than 260 letters, depth, and a junction that leads out.
    fn traps(place: &Path, outside: &Path) -> String {
        let mut said = Vec::new();
        let file = place.join("read-only.txt");
        fs::write(&file, "kept").must("a file");
        let mut permissions = fs::metadata(&file).must("the file").permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions).must("read-only");
        said.push("read-only".to_owned());
        let mut deep = std::path::PathBuf::from(format!(r"\\?\{}", place.display()));
        for level in 0..120 {
            deep.push(format!("level-{level}-of-a-long-path"));
        }
        fs::create_dir_all(&deep).must("a long path");
        fs::write(deep.join("bottom.txt"), "kept").must("a file below a long path");
        said.push(format!("long {}", deep.as_os_str().len()));
        let link = place.join("way-out");
        said.push(match junction::make(&link, outside) {
            Ok(()) => "junction".to_owned(),
            Err(error) => format!("no junction: {error}"),
        });
        said.join("\n")
    }

    fn stay() -> ! {
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    }

    /// What outlives a program in Windows' own keeping.
    mod left {
        use std::ptr::{null, null_mut};

        /// CF_UNICODETEXT.
        const TEXT: u32 = 13;
        /// GMEM_MOVEABLE.
        const MOVEABLE: u32 = 2;
        /// CRED_TYPE_GENERIC.
        const GENERIC: u32 = 1;
        /// CRED_PERSIST_LOCAL_MACHINE.
        const MACHINE: u32 = 2;
        type Handle = *mut core::ffi::c_void;

        /// CREDENTIALW.
        #[repr(C)]
        struct Credential {
            flags: u32,
            kind: u32,
            name: *mut u16,
            comment: *mut u16,
            written: [u32; 2],
            length: u32,
            secret: *mut u8,
            persist: u32,
            attributes: u32,
            list: Handle,
            alias: *mut u16,
            whose: *mut u16,
        }

        #[link(name = "user32")]
        #[expect(unsafe_code, reason = "the clipboard is the system's own")]
        unsafe extern "system" {
            fn OpenClipboard(window: Handle) -> i32;
            fn EmptyClipboard() -> i32;
            fn SetClipboardData(format: u32, data: Handle) -> Handle;
            fn GetClipboardData(format: u32) -> Handle;
            fn CloseClipboard() -> i32;
        }

        #[link(name = "kernel32")]
        #[expect(unsafe_code, reason = "the clipboard's memory is the system's own")]
        unsafe extern "system" {
            fn GlobalAlloc(flags: u32, bytes: usize) -> Handle;
            fn GlobalLock(memory: Handle) -> Handle;
            fn GlobalUnlock(memory: Handle) -> i32;
            fn GlobalSize(memory: Handle) -> usize;
        }

        #[link(name = "advapi32")]
        #[expect(unsafe_code, reason = "Credential Manager is the system's own")]
        unsafe extern "system" {
            fn CredWriteW(credential: *const Credential, flags: u32) -> i32;
            fn CredReadW(name: *const u16, kind: u32, flags: u32, found: *mut *mut Credential) -> i32;
            fn CredFree(found: Handle);
        }

        fn wide(text: &str) -> Vec<u16> {
            text.encode_utf16().chain([0]).collect()
        }

        fn came_of(done: bool) -> String {
            if done { "left".to_owned() } else { format!("refused: {}", std::io::Error::last_os_error()) }
        }

        /// Does something with the clipboard open; others have it open for a moment now and then.
        #[expect(unsafe_code, reason = "the clipboard is the system's own")]
        fn opened<T>(deed: impl FnOnce() -> T) -> Option<T> {
            for _ in 0..100 {
                // SAFETY: without a window it is opened for this thread.
                if unsafe { OpenClipboard(null_mut()) } != 0 {
                    let done = deed();
                    // SAFETY: this thread has it open.
                    let _ = unsafe { CloseClipboard() };
                    return Some(done);
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            None
        }

        #[expect(unsafe_code, reason = "the clipboard is the system's own")]
        pub(super) fn copy(text: &str) -> String {
            let units = wide(text);
            // SAFETY: the memory is as large as what is copied into it, and is the clipboard's afterwards.
            let done = opened(|| unsafe {
                let _ = EmptyClipboard();
                let memory = GlobalAlloc(MOVEABLE, units.len() * 2);
                GlobalLock(memory).cast::<u16>().copy_from_nonoverlapping(units.as_ptr(), units.len());
                let _ = GlobalUnlock(memory);
                !SetClipboardData(TEXT, memory).is_null()
            });
            came_of(done == Some(true))
        }

        /// The text on the clipboard; nothing where there is none.
        #[expect(unsafe_code, reason = "the clipboard is the system's own")]
        pub(super) fn paste() -> String {
            // SAFETY: the memory is the clipboard's, which is open, and is as large as it says.
            let text = opened(|| unsafe {
                let memory = GetClipboardData(TEXT);
                if memory.is_null() {
                    return String::new();
                }
                let place = GlobalLock(memory).cast::<u16>();
                let units = std::slice::from_raw_parts(place, GlobalSize(memory) / 2);
                let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
                let text = String::from_utf16_lossy(units.get(..end).unwrap_or_default());
                let _ = GlobalUnlock(memory);
                text
            });
            text.unwrap_or_else(|| "the clipboard does not open".to_owned())
        }

        #[expect(unsafe_code, reason = "Credential Manager is the system's own")]
        pub(super) fn keep(name: &str) -> String {
            let mut name = wide(name);
            let mut secret = *b"secret";
            let credential = Credential {
                flags: 0,
                kind: GENERIC,
                name: name.as_mut_ptr(),
                comment: null_mut(),
                written: [0; 2],
                length: 6,
                secret: secret.as_mut_ptr(),
                persist: MACHINE,
                attributes: 0,
                list: null_mut(),
                alias: null_mut(),
                whose: null_mut(),
            };
            // SAFETY: the name ends with a zero; the secret is as long as is said.
            came_of(unsafe { CredWriteW(&raw const credential, 0) } != 0)
        }

        #[expect(unsafe_code, reason = "Credential Manager is the system's own")]
        pub(super) fn kept(name: &str) -> bool {
            let name = wide(name);
            let mut found = null::<Credential>().cast_mut();
            // SAFETY: the name ends with a zero; the place for the answer outlives the call, and is given back.
            unsafe {
                let there = CredReadW(name.as_ptr(), GENERIC, 0, &raw mut found) != 0;
                if there {
                    CredFree(found.cast());
                }
                there
            }
        }
    }

    /// Junctions, which the standard library does not make.
    mod junction {
        use std::fs;
        use std::io;
        use std::os::windows::ffi::OsStrExt as _;
        use std::os::windows::fs::OpenOptionsExt as _;
        use std::os::windows::io::AsRawHandle as _;
        use std::path::Path;
        use std::ptr::{null, null_mut};

        const SET_REPARSE_POINT: u32 = 0x0009_00A4;
        const MOUNT_POINT: u32 = 0xA000_0003;
        const BACKUP: u32 = 0x0200_0000;
        const REPARSE: u32 = 0x0020_0000;

        #[link(name = "kernel32")]
        #[expect(unsafe_code, reason = "a junction is made through the system's own call")]
        unsafe extern "system" {
            fn DeviceIoControl(
                file: *mut core::ffi::c_void,
                code: u32,
                given: *const core::ffi::c_void,
                length: u32,
                out: *mut core::ffi::c_void,
                room: u32,
                returned: *mut u32,
                overlapped: *mut core::ffi::c_void,
            ) -> i32;
        }

        /// Makes `link` lead to `target`.
        #[expect(unsafe_code, reason = "a junction is made through the system's own call")]
        pub(super) fn make(link: &Path, target: &Path) -> io::Result<()> {
            fs::create_dir(link)?;
            let mut options = fs::OpenOptions::new();
            let directory = options.write(true).custom_flags(BACKUP | REPARSE).open(link)?;
            let mut name: Vec<u16> = r"\??\".encode_utf16().chain(target.as_os_str().encode_wide()).collect();
            let bytes = u16::try_from(name.len() * 2).map_err(io::Error::other)?;
            name.extend([0, 0]);
            let data = 8 + name.len() * 2;
            let mut buffer = Vec::new();
            buffer.extend(MOUNT_POINT.to_le_bytes());
            buffer.extend(u16::try_from(data).map_err(io::Error::other)?.to_le_bytes());
            buffer.extend(0_u16.to_le_bytes());
            for number in [0, bytes, bytes + 2, 0] {
                buffer.extend(number.to_le_bytes());
            }
            buffer.extend(name.iter().flat_map(|unit| unit.to_le_bytes()));
            let length = u32::try_from(buffer.len()).map_err(io::Error::other)?;
            let mut returned = 0;
            // SAFETY: the handle is open, and the buffer is as long as is said.
            let made = unsafe {
                DeviceIoControl(
                    directory.as_raw_handle(),
                    SET_REPARSE_POINT,
                    buffer.as_ptr().cast(),
                    length,
                    null::<u8>().cast_mut().cast(),
                    0,
                    &raw mut returned,
                    null_mut(),
                )
            };
            if made == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        }
    }
}
