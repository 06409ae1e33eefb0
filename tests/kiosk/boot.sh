#!/bin/bash
# Boots this machine's own systemd in namespaces, on an overlay of its root, with the kiosk enabled on the
# programs that were built, and looks from inside: the shell runs as its unit has it, its capsule in a control
# group of its own; what kills it or makes the host unfit leads where it should. Touches nothing of the host.
#
# Use, as root: tests/kiosk/boot.sh [DIRECTORY OF THE PROGRAMS]      Exit code 0: all held.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
programs=$(cd "${1:-$tree/target/debug}" && pwd)

if [ "${STAGE:-}" = "" ]; then
  [ "$(id -u)" = 0 ] || { echo "boot: needs root" >&2; exit 2; }
  # There is one first terminal, and each display would hang up the other's.
  exec 9>/run/lock/cleanshift-boot && flock 9
  mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
  [ -n "$mount" ] || { echo "boot: this host has no control groups of version 2" >&2; exit 2; }
  group=$mount/cleanshift-boot-$$
  place=$(mktemp -d)
  mkdir "$group" "$place/out"
  clean() {
    echo 1 >"$group/cgroup.kill" 2>/dev/null || true
    for _ in $(seq 100); do
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ -d "$group" ] || break
      sleep 0.1
    done
    rm -rf "$place"
  }
  trap clean EXIT
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    STAGE=root PLACE=$place exec timeout 180 unshare -C -m -p -f -u -i --propagation private "$0" "$programs"
  ) >"$place/out/boot" 2>&1 9>&- &
  disown
  for _ in $(seq 180); do
    [ -e "$place/out/ended" ] || ! kill -0 $! 2>/dev/null || { sleep 1; continue; }
    break
  done
  cat "$place/out/log" 2>/dev/null || cat "$place/out/boot"
  exit "$(cat "$place/out/ended" 2>/dev/null || echo 1)"
fi

if [ "$STAGE" = root ]; then
  # bwrap below pasta looks at /proc/2 of the host, which is the kernel's own there, and must be something here.
  sleep infinity &
  root=$PLACE/root
  mkdir "$PLACE/over" "$root"
  mount -t tmpfs none "$PLACE/over"
  mkdir "$PLACE/over/upper" "$PLACE/over/work"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$PLACE/over/upper,workdir=$PLACE/over/work" "$root"
  for memory in tmp run var/tmp dev; do mount -t tmpfs -o mode=755 none "$root/$memory"; done
  chmod 1777 "$root/tmp" "$root/var/tmp"
  mkdir "$root"/dev/{net,pts,shm}
  for node in null zero full random urandom tty; do cp -a "/dev/$node" "$root/dev/"; done
  mknod -m 666 "$root/dev/net/tun" c 10 200
  mknod -m 620 "$root/dev/tty0" c 4 0
  mknod -m 600 "$root/dev/tty1" c 4 1
  mknod -m 600 "$root/dev/console" c 5 1
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
  mount -t tmpfs -o mode=1777 none "$root/dev/shm"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mkdir -p "$root/mnt/out" "$root/mnt/old" "$root/usr/lib/cleanshift"
  mount --bind "$PLACE/out" "$root/mnt/out"

  # As the package puts them.
  install -m 755 "$programs"/cleanshift "$programs"/cleanshiftctl "$root/usr/bin/"
  install -m 755 "$programs"/cleanshift-init "$programs"/cleanshift-looker "$root/usr/lib/cleanshift/"
  chmod 4755 "$root/usr/lib/cleanshift/cleanshift-looker"
  install -m 644 "$tree"/packaging/systemd/*.{service,socket} "$root/usr/lib/systemd/system/"
  install -D -m 644 "$tree/packaging/systemd/sysusers.d/cleanshift.conf" "$root/usr/lib/sysusers.d/cleanshift.conf"
  install -D -m 644 "$tree/packaging/systemd/tmpfiles.d/cleanshift.conf" "$root/usr/lib/tmpfiles.d/cleanshift.conf"
  install -D -m 644 "$tree/packaging/host/60-cleanshift.rules" "$root/usr/share/polkit-1/rules.d/60-cleanshift.rules"
  rm -f "$root"/usr/lib/pcsc/drivers/serial/libifdvpcd.so* "$root/etc/reader.conf.d/vpcd"

  # A screen in memory, and no more of the host's services than the station needs.
  printf '%s\n' 'Section "Device"' 'Identifier "d"' 'Driver "dummy"' 'EndSection' \
    'Section "Screen"' 'Identifier "s"' 'Device "d"' 'DefaultDepth 24' 'EndSection' >"$PLACE/out/dummy.conf"
  system=$root/etc/systemd/system
  printf '%s\n' '[Unit]' 'Requires=basic.target' \
    'Wants=cleanshift.service dbus.socket systemd-logind.service polkit.service' >"$system/boot-test.target"
  for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
    systemd-modules-load.service systemd-remount-fs.service systemd-timesyncd.service systemd-sysctl.service; do
    ln -sf /dev/null "$system/$unit"
  done
  rm -rf "$system/timers.target.wants"
  find "$system" -path '*sockets.target.wants/*' -delete
  install -m 644 "$tree/policies/demo.toml" "$PLACE/out/policy.toml"
  install -m 755 "$0" "$PLACE/out/boot.sh"
  cd "$root"
  pivot_root . mnt/old
  umount -l /mnt/old
  systemd-sysusers cleanshift.conf
  systemd-tmpfiles --create cleanshift.conf
  # The card service is started by its socket, which waits for systemd.
  cleanshiftctl --policy /mnt/out/policy.toml kiosk enable --anyway
  cp /mnt/out/dummy.conf /etc/X11/xorg.conf.d/99-dummy.conf
  (STAGE=inside /mnt/out/boot.sh /usr/bin >/mnt/out/log 2>&1; echo $? >/mnt/out/ended) &
  export container=cleanshift-test
  unset STAGE PLACE
  exec /lib/systemd/systemd --unit=boot-test.target --show-status=no
fi

# Inside.
failed=0
until_is() { # until_is UNIT STATE
  for _ in $(seq 40); do
    [ "$(systemctl is-active "$1" 2>/dev/null)" = "$2" ] && return
    sleep 0.5
  done
  return 1
}
holds() { # holds WHAT COMMAND…
  local what=$1
  shift
  if "$@"; then echo "held: $what"; else echo "NOT HELD: $what"; failed=1; fi
}
stands() { # A capsule stands in the group that the unit delegates.
  for _ in $(seq 40); do
    grep -q . /sys/fs/cgroup/system.slice/cleanshift.service/capsule/cgroup.procs 2>/dev/null && return
    sleep 0.5
  done
  return 1
}
pid() { systemctl show -p MainPID --value "$1"; }
status() { grep -q "^$2" "/proc/$(pid "$1")/status"; }
verdict() { cleanshiftctl --state /var/lib/cleanshift log verify >/dev/null; }
no_abstract_socket() { ! grep -q '@/tmp/.X11-unix/X0' /proc/net/unix && [ -S /tmp/.X11-unix/X0 ]; }

for _ in $(seq 40); do [ -S /run/systemd/private ] && break; sleep 0.25; done
holds "the display runs" until_is cleanshift-display active
holds "the shell runs" until_is cleanshift active
holds "the display is the account's" [ "$(stat -c %U "/proc/$(pid cleanshift-display)")" = cleanshift ]
holds "the display has no abstract socket" no_abstract_socket
holds "the shell has no capability to gain" status cleanshift $'CapBnd:\t0000000000000000'
holds "a capsule stands in a group of its own" stands
holds "the looker was asked by its socket" [ "$(systemctl show -p NAccepted --value cleanshift-looker.socket)" -gt 0 ]
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
if [ "$failed" = 1 ]; then journalctl --no-pager -b -o short-monotonic | tail -200; fi
exit "$failed"
