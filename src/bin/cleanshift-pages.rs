//! Writes what the package ships of the command lines: manual pages, and completions for bash, zsh and fish.
//! Use: `cleanshift-pages DIRECTORY`.

use std::path::Path;
use std::process::ExitCode;

use clap_complete::Shell;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("cleanshift-pages: name the directory to write to");
        return ExitCode::from(2);
    };
    match write(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cleanshift-pages: failed to write the pages: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for command in [cleanshift::shell::command_line(), cleanshift::ctl::command_line()] {
        let name = command.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let _ = clap_complete::generate_to(shell, &mut command.clone(), &name, directory)?;
        }
        clap_mangen::generate_to(command, directory)?;
    }
    Ok(())
}
