#!/bin/bash
# Are two makings of an image the same? Exit code 0: byte for byte. Exit code 1: no, and what differs is listed.
#
# Use: packaging/image/compare.sh ONE OTHER      the directories that build.sh left them in
set -euo pipefail
one=$1 other=$2
hash_of() { awk -v what="$2" '$2 == what { print $1 }' "$1/cleanshift.sums"; }
same=yes
for part in root.ext4 boot.fat core.img cleanshift.raw; do
  if [ "$(hash_of "$one" $part)" = "$(hash_of "$other" $part)" ]; then
    echo "same: $part $(hash_of "$one" $part)"
  else
    echo "differs: $part $(hash_of "$one" $part) $(hash_of "$other" $part)"
    same=no
  fi
done
[ $same = no ] || exit 0
diff <(cut -f1,2 "$one/cleanshift.packages") <(cut -f1,2 "$other/cleanshift.packages") && echo "the packages are the same"
diff "$one/cleanshift.files" "$other/cleanshift.files" && echo "the files are the same"
exit 1
