#!/bin/bash
# Makes a station of a root file system of Debian, in namespaces that were made for it. Use: inside.sh ROOT
set -euo pipefail
root=$1
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs tmpfs "$root/run"
hostname station

chroot "$root" env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 \
  SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" bash -euo pipefail <<'INSIDE'
dpkg -i /tmp/cleanshift.deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
# As a tree of files: this is not the machine that the station will run on.
mount --bind / /mnt
cleanshiftctl kiosk enable --root /mnt --anyway >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
umount /mnt

systemctl --quiet enable cleanshift-disk.service cleanshift-seed.service cleanshift-update.timer cleanshift-good.timer \
  systemd-networkd.service systemd-resolved.service systemd-timesyncd.service ssh.service
# No shells but the station's own, and no updates but its own.
systemctl --quiet mask debug-shell.service console-getty.service serial-getty@.service container-getty@.service \
  systemd-firstboot.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
systemctl --quiet disable systemd-networkd-wait-online.service
usermod --lock root
mkdir -p /state
printf '%s\n' '/dev/root / ext4 ro 0 0' 'tmpfs /tmp tmpfs nosuid,nodev,mode=1777,size=50% 0 0' \
  'tmpfs /var/tmp tmpfs nosuid,nodev,mode=1777,size=25% 0 0' >/etc/fstab
echo station >/etc/hostname
printf '%s\n' '127.0.0.1 localhost' '127.0.1.1 station' '::1 localhost' >/etc/hosts
ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
cp /usr/lib/cleanshift/station/security.list /etc/apt/sources.list
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
ln -s /etc/machine-id /var/lib/dbus/machine-id
printf '%s\n' 'RESUME=none' >/etc/initramfs-tools/conf.d/resume
printf '%s\n' 'COMPRESS=zstd' >/etc/initramfs-tools/conf.d/compress
update-initramfs -u -k all >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
ls /vmlinuz /initrd.img >/dev/null

# What differs from one making to the next, and what nobody needs.
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old /var/lib/dpkg/*-old \
  /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid- /var/lib/systemd/* /tmp/* ~root/.cache \
  /var/cache/man /etc/ssl/private/* /etc/ssh/ssh_host_* /var/lib/sgml-base /usr/share/info/dir.old
INSIDE
