#!/bin/bash
# Starts the image of INTO in QEMU and works there (run.py). Nothing of the host is touched.
#
# Use: tests/image/run.sh INTO CLEANSHIFTCTL
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# No test takes longer; what hangs is ended, and QEMU with it.
exec timeout --kill-after=10 14400 python3 -u "$here/run.py" "$1" "$2"
