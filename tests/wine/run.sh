#!/bin/bash
# Runs a Windows program as an ordinary account of Windows: in the prefix that CLEANSHIFT_WINEPREFIX names, else in
# one of its own that is made once in <target>/wine/prefix, and anew when what makes it has changed. Where there is no
# display, the program gets one of its own.
#
# Use: tests/wine/run.sh PROGRAM ARGUMENT...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
prefix=${CLEANSHIFT_WINEPREFIX:-$(realpath -m "$target/wine/prefix")}
mkdir -p "$(dirname "$prefix")"
. "$here/environment.sh" "$prefix"
(
  flock 9
  if [ -e "$prefix/made" ] && [ -n "$(find "$here" -type f -newer "$prefix/made")" ]; then
    wineserver -k || true
    rm -rf "$prefix"
  fi
  [ -e "$prefix/made" ] || { "$here/prefix.sh" "$prefix" && touch "$prefix/made"; }
) 9>"$prefix.lock"
# Wine keeps of an access list what fits into a mode, and inherits nothing: what is made is closed from the start, as
# it is in a closed directory of Windows.
umask 077
# A prefix is one Windows: one clipboard, one registry, one screen and one list of processes for all unit tests. Others
# plant nothing in it.
case ${1##*[/\\]} in cleanshift-*.exe) export RUST_TEST_THREADS=${RUST_TEST_THREADS:-1} ;; esac
[ -z "${DISPLAY:-}" ] || exec wine "$@"

# The display is this program's: another waits for its turn, and whatever it leaves behind ends with it.
exec 8>"$prefix.in-use"
flock 8
ready=$(mktemp)
display=
end() {
  wineserver -k 8>&- || true
  [ -z "$display" ] || kill "$display" 2>/dev/null || true
  wait
  rm -f "$ready"
}
trap end EXIT
trap 'exit 143' TERM INT
# A number that nobody has, claimed by its lock: left to itself, a server takes the socket away from one that listens on
# a file alone, as the stages' displays do.
for number in $(shuf -i 100-9999 -n 20); do
  [ ! -e "/tmp/.X11-unix/X$number" ] || continue
  Xvfb ":$number" -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 3>"$ready" 8>&- 2>/dev/null &
  display=$!
  while [ ! -s "$ready" ] && kill -0 "$display" 2>/dev/null; do sleep 0.1; done
  [ ! -s "$ready" ] || break
done
[ -s "$ready" ] || { echo "run: no display came up" >&2; exit 1; }
# Whoever starts an earlier program's server with it would keep a display that has gone.
wineserver -k 8>&- || true
ended=0
DISPLAY=:$number wine "$@" 8>&- || ended=$?
exit "$ended"
