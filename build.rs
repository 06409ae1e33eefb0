//! Gives the programs for Windows their icon, their version and their manifest. Does nothing for other systems.

use std::path::Path;

fn main() -> Result<(), embed_resource::CompilationResult> {
    println!("cargo:rerun-if-changed=build.rs");
    // What is built for, and not on: this program itself always runs on the system that builds.
    if std::env::var_os("CARGO_CFG_TARGET_OS").is_none_or(|system| system != "windows") {
        return Ok(());
    }
    for part in ["programs.rch", "cleanshift.manifest", "../../assets/cleanshift.ico"] {
        println!("cargo:rerun-if-changed=packaging/msi/{part}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let numbers = version.split(['.', '-']).take(3).collect::<Vec<_>>().join(",");
    let macros = [format!("VERSION={version}"), format!("NUMBERS={numbers},0")];
    for program in ["cleanshift", "cleanshiftctl", "cleanshift-service"] {
        if Path::new("src/bin").join(program).with_extension("rs").exists() {
            let resource = format!("packaging/msi/{program}.rc");
            embed_resource::compile_for(resource, [program], &macros).manifest_required()?;
        }
    }
    Ok(())
}
