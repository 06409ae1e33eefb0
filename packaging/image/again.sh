#!/bin/bash
# Makes an image a second time, with everything anew, and says whether it is the same. Exit code 0: byte for byte.
#
# Use: packaging/image/again.sh PACKAGE.deb INTO      INTO holds the first
set -euo pipefail
cd "$(dirname "$0")/../.."
other=$2-again
rm -rf "${other:?}"
packaging/image/build.sh "$1" "$other"
ended=0
packaging/image/compare.sh "$2" "$other" || ended=$?
exit $ended
