#!/bin/bash
# cargo for Windows: Debian's Rust with the sources of its library, and mingw. The programs come into
# <target>/windows/x86_64-pc-windows-gnu/; tests run under Wine where tests/wine/run.sh finds a prefix.
#
# Use: packaging/cargo-windows.sh build|test|clippy|run ...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
command=$1
shift

# Not the first of PATH: a toolchain of rustup's has no sources of the library, and the shells of rustup come before.
export RUSTC=/usr/bin/rustc
# Debian has no library that was built for Windows: it is built here, from its own sources.
export RUSTC_BOOTSTRAP=1
# A place of its own, so that builds for the two systems do not wait for each other.
target=$(realpath -m "${CARGO_TARGET_DIR:-$here/../target}")
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$here/../tests/wine/run.sh
# Without what only a debugger reads, which the linker would write anew into the program of each test.
CARGO_TARGET_DIR=$target/windows exec /usr/bin/cargo "$command" -Z build-std=std,panic_abort --target x86_64-pc-windows-gnu \
  --config profile.dev.debug=false --config 'profile.dev.strip="symbols"' "$@"
