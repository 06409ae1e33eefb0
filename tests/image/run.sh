#!/bin/bash
# Starts the image of INTO in QEMU and works there (run.py); pictures come into PICTURES. Nothing of the host is touched.
#
# Use: tests/image/run.sh INTO CLEANSHIFTCTL PICTURES
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# No test takes longer; what hangs is ended, and QEMU with it.
exec timeout --kill-after=10 14400 python3 -u "$here/run.py" "$1" "$2" "$3"
