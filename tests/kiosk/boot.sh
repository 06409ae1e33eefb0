#!/bin/bash
# Boots this machine's own systemd in namespaces, on an overlay of its root, with the kiosk enabled on the
# programs that were built, and looks from inside: the shell runs as its unit has it, its capsule in a control
# group of its own; what kills it or makes the host unfit leads where it should. Touches nothing of the host.
#
# Use, as root: tests/kiosk/boot.sh [DIRECTORY OF THE PROGRAMS]      Exit code 0: all held.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/world.sh"

if [ "${STAGE:-}" = "" ]; then
  programs=$(cd "${1:-$here/../../target/debug}" && pwd)
  world 180 "$here/boot.sh" "$programs"
fi

if [ "$STAGE" = root ]; then
  programs=$1
  tree=$(cd "$here/../.." && pwd)
  furnish /
  root=$PLACE/root
  # As the package puts them.
  install -m 755 "$programs"/cleanshift "$programs"/cleanshiftctl "$root/usr/bin/"
  install -m 755 "$programs"/cleanshift-init "$programs"/cleanshift-looker "$root/usr/lib/cleanshift/"
  chmod 4755 "$root/usr/lib/cleanshift/cleanshift-looker"
  install -m 644 "$tree"/packaging/systemd/*.{service,socket} "$root/usr/lib/systemd/system/"
  install -D -m 644 "$tree/packaging/systemd/sysusers.d/cleanshift.conf" "$root/usr/lib/sysusers.d/cleanshift.conf"
  install -D -m 644 "$tree/packaging/systemd/tmpfiles.d/cleanshift.conf" "$root/usr/lib/tmpfiles.d/cleanshift.conf"
  install -D -m 644 "$tree/packaging/host/60-cleanshift.rules" "$root/usr/share/polkit-1/rules.d/60-cleanshift.rules"
  rm -f "$root"/usr/lib/pcsc/drivers/serial/libifdvpcd.so* "$root/etc/reader.conf.d/vpcd"
  install -m 644 "$tree/policies/demo.toml" "$PLACE/out/policy.toml"
  install -m 755 "$0" "$here/world.sh" "$PLACE/out/"
  enter
  systemd-sysusers cleanshift.conf
  systemd-tmpfiles --create cleanshift.conf
  # The card service is started by its socket, which waits for systemd.
  cleanshiftctl --policy /mnt/out/policy.toml kiosk enable --anyway
  cp /mnt/out/dummy.conf /etc/X11/xorg.conf.d/99-dummy.conf
  start /mnt/out/boot.sh
fi

# Inside.
status() { grep -q "^$2" "/proc/$(pid "$1")/status"; }
verdict() { cleanshiftctl --state /var/lib/cleanshift log verify >/dev/null; }
scores() { systemd-analyze security --no-pager --threshold="$2" "$1.service" >/dev/null; }
no_abstract_socket() { ! grep -q '@/tmp/.X11-unix/X0' /proc/net/unix && [ -S /tmp/.X11-unix/X0 ]; }

for _ in $(seq 40); do [ -S /run/systemd/private ] && break; sleep 0.25; done
holds "the display runs" until_is cleanshift-display active
holds "the shell runs" until_is cleanshift active
holds "the display is the account's" [ "$(stat -c %U "/proc/$(pid cleanshift-display)")" = cleanshift ]
holds "the display has no abstract socket" no_abstract_socket
holds "the shell has no capability to gain" status cleanshift $'CapBnd:\t0000000000000000'
holds "a capsule stands in a group of its own" stands
holds "the looker was asked by its socket" [ "$(systemctl show -p NAccepted --value cleanshift-looker.socket)" -gt 0 ]
# As low as each can be: why not lower, the units say.
for unit in cleanshift:61 cleanshift-display:15 cleanshift-out-of-service:8 cleanshift-looker@0:12; do
  holds "$(systemd-analyze security --no-pager "${unit%:*}.service" | tail -n 1)" scores "${unit%:*}" "${unit#*:}"
done
before=$(pid cleanshift)
kill -9 "$before"
sleep 1.5
holds "a shell that was killed is started again" until_is cleanshift active
holds "it is another" [ "$(pid cleanshift)" != "$before" ]
holds "its capsule stands" stands
holds "its log verifies" verdict

mkdir -p /etc/reader.conf.d && touch /etc/reader.conf.d/vpcd
systemctl restart cleanshift 2>/dev/null || true
holds "an unfit host is out of service" until_is cleanshift-out-of-service active
holds "it says why" grep -q vsmartcard-vpcd /run/cleanshift-display/doctor.txt
holds "the shell does not run" [ "$(systemctl is-active cleanshift)" = failed ]
rm /etc/reader.conf.d/vpcd
# The line that the screen shows.
systemctl reset-failed cleanshift && systemctl start cleanshift
holds "it is in service when that is mended" until_is cleanshift active
holds "the screen is gone" until_is cleanshift-out-of-service inactive

before=$(pid cleanshift)
systemctl kill -s KILL cleanshift-display
sleep 3
holds "a display that died is back" until_is cleanshift-display active
holds "and the shell" until_is cleanshift active
holds "which is another" [ "$(pid cleanshift)" != "$before" ]
holds "and its capsule" stands
ends
