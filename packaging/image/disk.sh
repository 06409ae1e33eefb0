#!/bin/bash
# Makes the file systems and the loader for BIOS, with Debian 13's own tools. Runs in their root; /make has what goes in.
set -euo pipefail
cd /make
. ./sizes
truncate -s "${ROOT_MIB}M" root.ext4
mke2fs -q -t ext4 -b 4096 -m 0 -L cleanshift-a -U "$SLOT_A" -E "hash_seed=$SLOT_A,lazy_itable_init=0,lazy_journal_init=0,nodiscard" \
  -d root.tar root.ext4
e2fsck -f -n root.ext4 >/dev/null

truncate -s "${BOOT_MIB}M" boot.fat
mkfs.fat --invariant -F 32 -n BOOT -i "$BOOT_ID" boot.fat >/dev/null
grub-editenv slot create
grub-editenv slot set slot=a
find . -exec touch --no-dereference -d "@$SOURCE_DATE_EPOCH" {} +
mmd -i boot.fat ::/EFI ::/EFI/BOOT ::/EFI/debian ::/grub
mcopy -m -i boot.fat shimx64.efi.signed ::/EFI/BOOT/BOOTX64.EFI
mcopy -m -i boot.fat grubx64.efi.signed ::/EFI/BOOT/grubx64.efi
mcopy -m -i boot.fat mmx64.efi.signed ::/EFI/BOOT/mmx64.efi
mcopy -m -i boot.fat grub.cfg ::/EFI/debian/grub.cfg
mcopy -m -i boot.fat grub.cfg ::/grub/grub.cfg
mcopy -m -i boot.fat slot ::/grub/slot

# Before the menu is read, too, GRUB's command line is nobody's.
printf '%s\n' 'set superusers="nobody"' 'export superusers' >early.cfg
grub-mkimage -O i386-pc -o core.img -p '(,gpt2)/grub' -c early.cfg \
  biosdisk part_gpt fat ext2 normal configfile linux loadenv regexp test echo minicmd
