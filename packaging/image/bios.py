"""Puts GRUB's first sector and its core into a disk image, as grub-bios-setup does on a real disk.

Use: bios.py DISK boot.img core.img FIRST-SECTOR-OF-THE-CORE
"""

import struct
import sys


def main():
    disk, boot, core, first = sys.argv[1:]
    first = int(first)
    boot = bytearray(open(boot, "rb").read())
    core = bytearray(open(core, "rb").read())
    if len(boot) != 512 or len(core) > 1 << 20:
        sys.exit("bios.py: these are not GRUB's files")
    # Where the core begins; and that a BIOS that names no disk means this one.
    struct.pack_into("<Q", boot, 0x5C, first)
    boot[0x66:0x68] = b"\x90\x90"
    # Where the core goes on after its own first sector; its length is there already.
    struct.pack_into("<Q", core, 0x1F4, first + 1)
    with open(disk, "r+b") as out:
        out.write(boot[:440])
        out.seek(first * 512)
        out.write(core)


main()
