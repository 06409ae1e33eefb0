#!/bin/bash
# Makes a Wine prefix in which Cleanshift's programs run: 64 bits, Windows 10, with the shims of shims.sh. Cards
# are those of the card service that PCSCLITE_CSOCK_NAME names.
#
# Use: tests/wine/prefix.sh DIR        then: . tests/wine/environment.sh DIR; wine PROGRAM
#      WINESERVER of DIR is left running by Wine for a moment; `wineserver -k` ends it, and nothing else
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
shims=$("$here/shims.sh")
mkdir -p "$1"
. "$here/environment.sh" "$1"

# Without a display nothing is drawn here, and Wine would say so at length.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
wine() {
  command wine "$@" >"$said" 2>&1 || {
    cat "$said" >&2
    echo "prefix: failed to make $WINEPREFIX: wine $* ended otherwise than well" >&2
    exit 1
  }
}
wine wineboot -i
# Debian's Wine 8 is Windows 7 unless told.
wine winecfg -v win10
system=$WINEPREFIX/drive_c/windows/system32
cp "$shims/bcryptprimitives.dll" "$shims/winscard.dll" "$shims/pcscbridge.dll" "$system/"
cp "$shims/network.dll" "$system/cleanshift-network.dll"
wine reg add 'HKCU\Software\Wine\DllOverrides' /v winscard /d native,builtin /f
services='HKLM\System\CurrentControlSet\Services\Cleanshift network\NetworkProvider'
wine reg add "$services" /v Name /d 'Cleanshift network' /f
wine reg add "$services" /v ProviderPath /d 'C:\windows\system32\cleanshift-network.dll' /f
wine reg add 'HKLM\System\CurrentControlSet\Control\NetworkProvider\Order' /v ProviderOrder /d 'Cleanshift network' /f
# Windows has this key in every account, and Wine fails to list what is remembered without it.
wine reg add 'HKCU\Network' /f
# An account's folders are its own: Wine lets them lead to those of whoever runs it, so that what is swept would be hers.
find "$WINEPREFIX/drive_c/users" -maxdepth 2 -type l | while read -r folder; do # leads elsewhere
  rm "$folder"
  mkdir "$folder"
done
wineserver -w
