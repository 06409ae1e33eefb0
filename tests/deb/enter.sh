#!/bin/bash
# Makes a root file system this process' own, in namespaces that were made for it, and runs a phase there. By
# pivot_root, because the kernel refuses user namespaces inside a chroot, and every session is one.
#
# Use: enter.sh ROOT host|own PHASE VERSION
set -euo pipefail
root=$1 net=$2 phase=$3 version=$4

# On a real machine this number is the kernel's own. bwrap, started by pasta in a namespace of pasta's, looks it
# up where it is another's.
sleep infinity &

mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty net/tun; do
  mkdir -p "$(dirname "$root/dev/$device")"
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"; done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
if [ "$net" = own ]; then
  mount -t sysfs sysfs "$root/sys"
  # An address and a way out that lead nowhere: what gives apps a network of their own wants to see them.
  ip link set lo up
  ip link add out type veth peer name beyond
  ip link set beyond up
  ip address add 192.0.2.2/24 dev out
  ip link set out up
  ip route add default via 192.0.2.1
  printf '127.0.0.1 localhost station\n' >"$root/etc/hosts"
else
  cat /etc/resolv.conf >"$root/etc/resolv.conf"
  cat /etc/hosts >"$root/etc/hosts"
fi
hostname station

cd "$root"
pivot_root . .
umount -l .
cd /
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
  VERSION="$version" bash /debs/inside.sh "$phase"
