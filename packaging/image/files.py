"""Lists what is in an archive of a root file system, a line for each: what two makings of an image are compared by.

Use: files.py ARCHIVE.tar
"""

import hashlib
import sys
import tarfile


def main():
    with tarfile.open(sys.argv[1]) as archive:
        for member in archive:
            what = member.linkname
            if member.isreg():
                digest = hashlib.sha256()
                file = archive.extractfile(member)
                while block := file.read(1 << 20):
                    digest.update(block)
                what = f"{member.size} {digest.hexdigest()}"
            kind = member.type.decode()
            print(f"{member.name}\t{kind} {member.mode:04o} {member.uid}:{member.gid} {int(member.mtime)} {what}")


main()
