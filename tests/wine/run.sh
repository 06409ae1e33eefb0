#!/bin/bash
# Runs a Windows program as an ordinary account of Windows: in the prefix that CLEANSHIFT_WINEPREFIX names, else in
# one of its own that is made once in <target>/wine/prefix.
#
# Use: tests/wine/run.sh PROGRAM ARGUMENT...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
prefix=${CLEANSHIFT_WINEPREFIX:-$(realpath -m "$target/wine/prefix")}
mkdir -p "$(dirname "$prefix")"
(
  flock 9
  [ -e "$prefix/made" ] || { "$here/prefix.sh" "$prefix" && touch "$prefix/made"; }
) 9>"$prefix.lock"
. "$here/environment.sh" "$prefix"
# Wine keeps of an access list what fits into a mode, and inherits nothing: what is made is closed from the start, as
# it is in a closed directory of Windows.
umask 077
exec wine "$@"
