#!/bin/bash
# Makes a disk image of a station from Debian 13, the package and packaging/image/root: starts by UEFI (with Secure
# Boot, by Debian's signed loaders) and by BIOS. As root, by sudo where it is not: files of many owners are laid.
# No loop devices, no services; what runs in the new root runs in namespaces of its own. Debian's own tools, in
# the versions of Debian 13, do all of it: mmdebstrap, dpkg, mke2fs, mkfs.fat, mtools, sfdisk, grub-mkimage.
#
# Use: packaging/image/build.sh PACKAGE.deb INTO
#      APPS="chromium xterm"   what operators work with, from Debian      MORE=…  more words for the kernel
#      MIRROR=…  SECURITY=…    where packages come from; both named, with a snapshot, give the same image for ever
#
# Left in INTO: cleanshift.raw, cleanshift.qcow2, .packages (with versions), .files (each with its hash), .sums
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  exec sudo --preserve-env=APPS,MORE,MIRROR,SECURITY,SOURCE_DATE_EPOCH "$PWD/packaging/image/build.sh" "$@"
fi

deb=$(realpath "$1")
into=$(realpath -m "$2")
suite=trixie
apps=${APPS-chromium}
more=${MORE-}
# The mirror that this host uses, and Debian's own where it uses none of Debian's.
mirror() {
  apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v which="$1" '$1 == "Debian" && $2 == "main" && ($3 ~ /-security$/) == (which == "security") && $3 !~ /-updates$/ { print $4; exit }'
}
MIRROR=${MIRROR:-$(mirror main)}
SECURITY=${SECURITY:-$(mirror security)}
if [ -z "$MIRROR" ] || [ -z "$SECURITY" ]; then
  echo "image: this host gets no packages of Debian: name them with MIRROR and SECURITY" >&2
  exit 2
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y packaging/CHANGELOG.md)}
export SOURCE_DATE_EPOCH LC_ALL=C.UTF-8 TZ=UTC

# Names of the partitions that hold for every image: a station has one disk of ours.
disk=9a1c6c36-6b5b-4d0e-8f6d-2b7a51f0c001
bios=9a1c6c36-6b5b-4d0e-8f6d-2b7a51f0c002
boot=9a1c6c36-6b5b-4d0e-8f6d-2b7a51f0c003
slot_a=9a1c6c36-6b5b-4d0e-8f6d-2b7a51f0c00a
slot_b=9a1c6c36-6b5b-4d0e-8f6d-2b7a51f0c00b
state=9a1c6c36-6b5b-4d0e-8f6d-2b7a51f0c00d
boot_mib=96

# What the package depends on, as it says itself, is fetched with the rest, once.
depends=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/([^)]*)//; s/|.*//; s/[[:space:]]//g' | sort -u)
system="ca-certificates cryptsetup-bin dbus dosfstools e2fsprogs grub-common grub-efi-amd64-signed initramfs-tools iproute2
  kmod libtss2-esys-3.0.2-0t64 libtss2-mu-4.0.1-0t64 libtss2-rc0t64 libtss2-tcti-device0t64 linux-image-amd64 netbase openssh-server
  procps shim-signed systemd-cryptsetup systemd-repart systemd-resolved systemd-sysv systemd-timesyncd tpm-udev
  tzdata udev zstd"
tools="dosfstools e2fsprogs fdisk grub-common grub-pc-bin libarchive13t64 mtools"
list() { echo $* | tr -s ' \n' '\n' | sort -u | paste -sd,; }
say() { echo "image: $*"; }

mkdir -p "$into"
work=$into/work
# What comes from Debian alone is kept for as long as it would be the same: a day, on a mirror that moves.
stamp=$(echo "$MIRROR $SECURITY $suite $(list $depends $system $apps $tools) ${KEEP:-$(date -u +%F)}" | sha256sum)
if [ "$(cat "$into/base.stamp" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$into/base.stamp" "$into/base.tar" "$into/tools"
  # The times in it are no later than the day of Debian 13, whatever commit it is made for: it outlives commits.
  make_root() { # make_root PACKAGES PLACE
    SOURCE_DATE_EPOCH=1754697600 mmdebstrap --quiet --variant=minbase --aptopt='APT::Install-Recommends "false"' --include="$1" "$suite" "$2" \
      "deb $MIRROR $suite main" "deb $MIRROR $suite-updates main" "deb $SECURITY $suite-security main"
  }
  say "getting Debian's part"
  make_root "$(list $tools)" "$into/tools"
  make_root "$(list $depends $system $apps)" "$into/base.tar"
  echo "$stamp" >"$into/base.stamp"
fi

say "laying the station's part"
rm -rf "$work"
mkdir -p "$work/root"
trap 'rm -rf "$work"' EXIT
tar -C "$work/root" --numeric-owner --xattrs -xpf "$into/base.tar" --exclude='./dev/*'
cp "$deb" "$work/root/tmp/cleanshift.deb"
cp -r --no-preserve=mode,ownership packaging/image/root "$work/overlay"
chmod 755 "$work/overlay"/usr/lib/cleanshift/station/{disk,seed,ready,host-key,update,good,no-shell}
# Twice what is in it and the programs of one more kernel: what updates need until the next image.
root_mib=$(($(du -sm "$work/root" | cut -f1) * 5 / 4 + 512))
for file in $(grep -rl '@[A-Z_]*@' "$work/overlay") ; do
  sed -i "s/@ROOT_A@/$slot_a/g; s/@ROOT_B@/$slot_b/g; s/@STATE@/$state/g; s/@BOOT_SIZE@/${boot_mib}M/g
    s/@ROOT_SIZE@/${root_mib}M/g; s/@LEAST@/$(((2 * root_mib + boot_mib + 2048) / 1024))/g" "$file"
done
printf '%s\n' "SLOT_A=$slot_a" "SLOT_B=$slot_b" "STATE=$state" "BOOT=$boot" >"$work/overlay/usr/lib/cleanshift/station/partitions"
printf '%s\n' "deb http://deb.debian.org/debian-security $suite-security main" \
  "deb http://deb.debian.org/debian $suite main" >"$work/overlay/usr/lib/cleanshift/station/security.list"
cp -r --preserve=mode "$work/overlay/." "$work/root/"
unshare --mount --pid --ipc --uts --net --fork --kill-child -- bash packaging/image/inside.sh "$work/root"
[ ! -e "$work/root/failed" ] || exit 1

say "making the disk"
(cd "$work/root" && dpkg-query --admindir=var/lib/dpkg -W -f '${Package}\t${Version}\t${Architecture}\n') >"$into/cleanshift.packages"
tar -C "$work/root" --sort=name --numeric-owner --xattrs --xattrs-include='security.*' --format=posix \
  --pax-option=delete=atime,delete=ctime --mtime="@$SOURCE_DATE_EPOCH" --clamp-mtime -cf "$work/root.tar" .
python3 packaging/image/files.py "$work/root.tar" >"$into/cleanshift.files"
made=$into/tools/make
rm -rf "$made"
mkdir "$made"
mv "$work/root.tar" "$made/root.tar"
sed "s/@ROOT_A@/$slot_a/; s/@ROOT_B@/$slot_b/; s/@MORE@/$more/" packaging/image/grub.cfg >"$made/grub.cfg"
cp "$work/root"/usr/lib/shim/{shimx64.efi.signed,mmx64.efi.signed} "$work/root/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$made/"
printf '%s\n' "SLOT_A=$slot_a" "BOOT_ID=${boot:0:8}" "ROOT_MIB=$root_mib" "BOOT_MIB=$boot_mib" >"$made/sizes"
cp packaging/image/disk.sh "$made/"
chroot "$into/tools" env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" LC_ALL=C.UTF-8 TZ=UTC PATH=/usr/sbin:/usr/bin \
  bash /make/disk.sh
rm -f "$into/cleanshift.raw"
truncate -s "$((boot_mib + root_mib + 4))M" "$into/cleanshift.raw"
# GPT: 1 for BIOS, 2 for both loaders, 3 the root. The station makes 4, the other root, and 5, its own.
ln "$into/cleanshift.raw" "$made/disk"
printf '%s\n' "label: gpt" "label-id: $disk" "first-lba: 2048" \
  "start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649, uuid=$bios, name=cleanshift-bios" \
  "start=2MiB, size=${boot_mib}MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=$boot, name=cleanshift-boot" \
  "start=$((boot_mib + 2))MiB, size=${root_mib}MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=$slot_a, name=cleanshift-a" |
  chroot "$into/tools" sfdisk --quiet /make/disk
python3 packaging/image/bios.py "$into/cleanshift.raw" "$into/tools/usr/lib/grub/i386-pc/boot.img" "$made/core.img" 2048
dd if="$made/boot.fat" of="$into/cleanshift.raw" bs=1M seek=2 conv=notrunc,sparse status=none
dd if="$made/root.ext4" of="$into/cleanshift.raw" bs=1M seek=$((boot_mib + 2)) conv=notrunc,sparse status=none
qemu-img convert -O qcow2 "$into/cleanshift.raw" "$into/cleanshift.qcow2"
(cd "$into" && {
  sha256sum cleanshift.raw cleanshift.packages cleanshift.files
  for part in boot.fat core.img root.ext4; do echo "$(sha256sum <"tools/make/$part" | cut -c1-64)  $part"; done
}) >"$into/cleanshift.sums"
rm -rf "$made"
say "$into/cleanshift.raw, $(((boot_mib + root_mib + 4))) MiB; $(wc -l <"$into/cleanshift.packages") packages"
