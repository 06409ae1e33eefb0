# Boots a systemd of its own in namespaces and lets a script look from inside; sourced by what does so.
# Touches nothing of the host but a control group, which goes with it.

# world SECONDS SCRIPT ARGUMENTS…: runs the script again in namespaces, for so long at most, with STAGE=root and a PLACE
# that goes with it, and ends with the code that is in PLACE/out/ended. What the inside has said is printed.
world() {
  local patience=$1 mount
  shift
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
    STAGE=root PLACE=$place exec timeout "$patience" unshare -C -m -p -f -u -i -n --propagation private "$@"
  ) >"$place/out/boot" 2>&1 9>&- &
  disown
  for _ in $(seq "$patience"); do
    [ -e "$place/out/ended" ] || ! kill -0 $! 2>/dev/null || { sleep 1; continue; }
    break
  done
  cat "$place/out/log" 2>/dev/null || cat "$place/out/boot"
  exit "$(cat "$place/out/ended" 2>/dev/null || echo 1)"
}

# furnish BELOW: lays a file system in memory over the tree BELOW, at PLACE/root, with the devices and mounts that a
# start needs, a screen in memory, and no more of the tree's services than the station needs.
furnish() {
  local root=$PLACE/root system memory node unit
  # bwrap below pasta looks at /proc/2 of the host, which is the kernel's own there, and must be something here.
  sleep infinity &
  mkdir "$PLACE/over" "$root"
  mount -t tmpfs none "$PLACE/over"
  mkdir "$PLACE/over/upper" "$PLACE/over/work"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$PLACE/over/upper,workdir=$PLACE/over/work" "$root"
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

  # An address and a way out that lead nowhere: what gives apps a network of their own wants to see them.
  hostname station
  printf '127.0.0.1 localhost station\n' >"$root/etc/hosts"
  ip link set lo up
  ip link add out type veth peer name beyond
  ip link set beyond up
  ip address add 192.0.2.2/24 dev out
  ip link set out up
  ip route add default via 192.0.2.1

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
}

# enter: makes that tree this process' own.
enter() {
  cd "$PLACE/root"
  pivot_root . mnt/old
  umount -l /mnt/old
  cd /
}

# start SCRIPT ARGUMENTS…: starts systemd as the first process, and the script with STAGE=inside beside it.
start() {
  (
    code=0
    STAGE=inside "$@" >/mnt/out/log 2>&1 || code=$?
    echo $code >/mnt/out/ended
  ) &
  export container=cleanshift-test
  unset STAGE PLACE
  exec /lib/systemd/systemd --unit=boot-test.target --show-status=no
}

# Inside.
failed=0
# Waits a bounded time until the command holds.
until_holds() {
  local tries
  for tries in $(seq 80); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.25
  done
  return 1
}
is_state() { [ "$(systemctl is-active "$1" 2>/dev/null)" = "$2" ]; }
until_is() { until_holds is_state "$1" "$2"; } # until_is UNIT STATE
holds() { # holds WHAT COMMAND…
  local what=$1
  shift
  if "$@"; then echo "held: $what"; else echo "NOT HELD: $what"; failed=1; fi
}
has_capsule() { grep -q . /sys/fs/cgroup/system.slice/cleanshift.service/capsule/cgroup.procs 2>/dev/null; }
stands() { until_holds has_capsule; } # A capsule stands in the group that the unit delegates.
pid() { systemctl show -p MainPID --value "$1"; }
# ends: ends the inside with what has held, and the journal where not all has.
ends() {
  if [ "$failed" = 1 ]; then journalctl --no-pager -b -o short-monotonic | tail -200; fi
  exit "$failed"
}
