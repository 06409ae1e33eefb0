#!/bin/bash
# Builds what Wine 8 lacks for Cleanshift's programs to run into <target>/wine/: a source of random bytes, a bridge
# from Windows' card calls to this machine's libpcsclite, and a network whose connections can be remembered and ended.
# For tests alone: nothing of it is shipped.
#
# Use: tests/wine/shims.sh        prints the directory; builds only what is older than its source
set -euo pipefail
cd "$(dirname "$0")"

target=${CARGO_TARGET_DIR:-../../target}
into=$(realpath -m "$target/wine")
mkdir -p "$into/new"

# Two that run at once do not see each other's halves.
exec 9>"$into/lock"
flock 9

older() {
  local made=$1 source
  shift
  [ -e "$made" ] || return 0
  for source in "$@" shims.sh; do
    [ "$source" -ot "$made" ] || return 0
  done
  return 1
}

if older "$into/bcryptprimitives.dll" bcryptprimitives.c; then
  x86_64-w64-mingw32-gcc -shared -O1 -s -Wall -Werror -o "$into/new/bcryptprimitives.dll" bcryptprimitives.c -ladvapi32
  mv "$into/new/bcryptprimitives.dll" "$into/"
fi
if older "$into/winscard.dll" winscard_pe.c winscard.def; then
  x86_64-w64-mingw32-gcc -shared -s -Wall -Werror -o "$into/new/winscard.dll" winscard_pe.c winscard.def
  mv "$into/new/winscard.dll" "$into/"
fi
if older "$into/pcscbridge.dll" pcscbridge.c pcscbridge.spec; then
  # By the system's compiler, so that <winscard.h> is libpcsclite's and not Wine's.
  gcc -c -fPIC -O1 -Wall -Werror $(pkg-config --cflags libpcsclite) -o "$into/new/pcscbridge.o" pcscbridge.c
  winegcc -shared -m64 -o "$into/new/pcscbridge.dll.so" "$into/new/pcscbridge.o" pcscbridge.spec -lpcsclite
  # By this name alone Wine takes it for a library of the program's.
  mv "$into/new/pcscbridge.dll.so" "$into/pcscbridge.dll"
fi
if older "$into/network.dll" network.c network.def; then
  x86_64-w64-mingw32-gcc -shared -O1 -s -Wall -Werror -o "$into/new/network.dll" network.c network.def -ladvapi32
  mv "$into/new/network.dll" "$into/"
fi
if older "$into/ordinary.exe" ordinary.c; then
  x86_64-w64-mingw32-gcc -O1 -s -Wall -Werror -municode -o "$into/new/ordinary.exe" ordinary.c
  mv "$into/new/ordinary.exe" "$into/"
fi
# For the script that is run by hand: src/manual/windows.rs.
if older "$into/reach.exe" reach.c; then
  x86_64-w64-mingw32-gcc -O1 -s -Wall -Werror -o "$into/new/reach.exe" reach.c -lgdi32
  mv "$into/new/reach.exe" "$into/"
fi
echo "$into"
