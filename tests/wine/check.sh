#!/bin/bash
# Shows that the prefix and its card bridge work: a Windows program reads a virtual badge through a card service
# of its own. Without the bridge the same program must fail.
#
# Use: tests/wine/check.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
started=()
end() {
  [ -z "${WINEPREFIX:-}" ] || wineserver -k || true
  [ "${#started[@]}" = 0 ] || kill "${started[@]}" 2>/dev/null || true
  wait
  rm -rf "$place"
}
trap end EXIT

shims=$("$here/shims.sh")
x86_64-w64-mingw32-gcc -O1 -s -Wall -Werror -o "$place/card.exe" "$here/card.c" -lwinscard
"$here/prefix.sh" "$place/prefix"
. "$here/environment.sh" "$place/prefix"

# A /run of its own makes pcscd private: its socket's name is compiled in. Two ports that the kernel picked: the
# reader has two slots on neighbouring ones.
port=$(python3 -c '
import socket
while True:
    one, two = socket.socket(), socket.socket()
    one.bind(("0.0.0.0", 0))
    try:
        two.bind(("0.0.0.0", one.getsockname()[1] + 1))
    except OSError:
        continue
    print(one.getsockname()[1])
    break')
mkdir "$place/readers"
hex=$(printf '0x%04X' "$port")
cat >"$place/readers/vpcd" <<EOF
FRIENDLYNAME "Virtual PCD"
DEVICENAME /dev/null:$hex
LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID $hex
EOF
unshare -Urm bash -c 'mount -t tmpfs tmpfs /run && mkdir /run/pcscd &&
  if pcscd --help | grep -q disable-polkit; then set -- "$1" --disable-polkit; fi &&
  exec setpriv --pdeathsig KILL -- pcscd -f -c "$@"' pcscd "$place/readers" >"$place/pcscd.log" 2>&1 &
service=$!
started+=("$service")
for _ in $(seq 200); do
  if [ -S "/proc/$service/root/run/pcscd/pcscd.comm" ] && ss -tln "sport = :$port" | grep -q LISTEN; then break; fi
  sleep 0.1
done
# The name of a socket has to be short.
ln -s "/proc/$service/root/run/pcscd/pcscd.comm" "$place/pcscd.comm"
export PCSCLITE_CSOCK_NAME=$place/pcscd.comm

expected='reader Virtual PCD 00 00
reader Virtual PCD 00 01
present, ATR of 20 bytes
protocol 2, state 5, the same ATR: yes
answer 04 A1 B2 C3 D4 E5 F6 90 00
gone
called off: 80100002'

read_badge() { timeout 60 wine "$place/card.exe" </dev/null 2>/dev/null | tr -d '\r'; }

if without=$(WINEDLLOVERRIDES="$WINEDLLOVERRIDES;winscard=b" read_badge); then
  echo "check: without the bridge it does not fail: $without" >&2
  exit 1
fi
python3 "$here/card.py" "$port" 04A1B2C3D4E5F6 &
started+=("$!")
said=$(read_badge) || true
if [ "$said" != "$expected" ]; then
  diff <(echo "$expected") <(echo "$said") >&2 || true
  echo "check: the card bridge does not do what it should" >&2
  exit 1
fi
echo "check: a Windows program reads a badge through the bridge, and none without ($without)"
