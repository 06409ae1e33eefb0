#!/bin/bash
# Takes the Windows package of <target>/msi through its life under Wine, in a prefix of its own: installed, run,
# upgraded, not downgraded, uninstalled, as a kiosk and not. What is said to be gone was shown to be there before.
#
# Use: tests/msi/run.sh DIRECTORY-OF-PROGRAMS    SEEN=new takes what was seen for what is expected
set -euo pipefail
cd "$(dirname "$0")/../.."
programs=$1
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
place=$(mktemp -d)
end() {
  [ -z "${WINEPREFIX:-}" ] || wineserver -k || true
  rm -rf "$place"
}
trap end EXIT

say() { echo "test-msi: $*"; }
fail() {
  say "FAILED: $*" >&2
  exit 1
}

msi=$target/msi/cleanshift-$version-x64.msi
[ -e "$msi" ] || fail "$msi is not there: make msi"

# What must not be packed.
say "a description whose attribute is lost fails the build"
refused() {
  local what=$1 said
  shift
  if said=$(env "$@" INTO="$place/refused" packaging/msi/msi.sh "$programs" 2>&1); then
    fail "$what: it was packed"
  fi
  grep -qF -- "$what" <<<"$said" || fail "$what is not what was said: $said"
}
sed 's/Id="Policy" Guid/Id="Policy" NeverOverwrite="yes" Guid/' packaging/msi/cleanshift.wxs >"$place/lost.wxs"
refused NeverOverwrite WXS="$place/lost.wxs"
# wixl says nothing of this one: the look at the tables does.
sed 's/Title="Kiosk"/Absent="disallow" Title="Kiosk"/' packaging/msi/cleanshift.wxs >"$place/quiet.wxs"
refused "Absent is not as asked" WXS="$place/quiet.wxs"
sed 's/Name="Menu" Type="integer" Value="1"/Name="Menu" Type="integer" Value="2"/' packaging/msi/cleanshift.wxs >"$place/other.wxs"
refused "not those of packaging/msi/tables.txt" WXS="$place/other.wxs"
mkdir "$place/bare"
cp "$programs"/*.exe "$place/bare/"
x86_64-w64-mingw32-objcopy --remove-section .rsrc "$place/bare/cleanshiftctl.exe"
said=$(INTO="$place/refused" packaging/msi/msi.sh "$place/bare" 2>&1) && fail "a program without its resources was packed"
grep -q 'cleanshiftctl.exe: it has no version' <<<"$said" || fail "a program without its resources is told as $said"
rm -rf "$place/refused" "$place/bare"

say "policy definitions that name what is not there are refused"
mkdir -p "$place/definitions/en-US"
planted() {
  cp packaging/msi/policy-definitions/Cleanshift.admx "$place/definitions/"
  cp packaging/msi/policy-definitions/en-US/Cleanshift.adml "$place/definitions/en-US/"
  sed -i "$2" "$place/definitions/$1"
  ! python3 packaging/msi/policy-definitions/check.py "$place/definitions" 2>"$place/said" || fail "$2 was not seen"
  grep -qF -- "$3" "$place/said" || fail "$2 was told as $(cat "$place/said")"
}
planted Cleanshift.admx 's/string.PolicyExplain/string.Nothing/' "string Nothing is named and not there"
planted Cleanshift.admx 's/valueName="Policy"/valueName="Nothing"/' "the shell does not read the value Nothing"
planted en-US/Cleanshift.adml 's/refId="PolicyPath"/refId="Nothing"/' "element Nothing is not in both files"

say "a package is signed where there is a certificate, and one that was changed since is told apart"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Cleanshift test" -addext extendedKeyUsage=codeSigning \
  -keyout "$place/key.pem" -out "$place/cert.pem" 2>/dev/null
CLEANSHIFT_SIGN_CERT=$place/cert.pem CLEANSHIFT_SIGN_KEY=$place/key.pem INTO=$place/signed \
  packaging/msi/msi.sh "$programs" >"$place/said"
grep -q ': signed$' "$place/said" || fail "it was not signed: $(cat "$place/said")"
signed=$place/signed/cleanshift-$version-x64.msi
holds() { osslsigncode verify -CAfile "$place/cert.pem" -in "$1" >"$place/said" 2>&1; }
holds "$signed" || fail "its signature does not hold"
msiextract -C "$place/extracted" "$signed" >/dev/null
holds "$(find "$place/extracted" -name cleanshiftctl.exe)" || fail "the program's signature does not hold"
! holds "$msi" || fail "the unsigned package passes for signed"
python3 - "$signed" <<'EOF'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.find(b"MSCF") + 64
data[at] ^= 1
open(sys.argv[1], "wb").write(data)
EOF
! holds "$signed" || fail "a changed package passes for signed"
rm -rf "$place/signed" "$place/extracted"

say "a package of a higher version, from the same programs"
VERSION=9.0.0 INTO=$place/next packaging/msi/msi.sh "$programs" >/dev/null
next=$place/next/cleanshift-9.0.0-x64.msi

say "a prefix of Wine's"
tests/wine/prefix.sh "$place/prefix"
. tests/wine/environment.sh "$place/prefix"
c=$WINEPREFIX/drive_c
data=$c/ProgramData/Cleanshift
ctl=$c/'Program Files'/Cleanshift/cleanshiftctl.exe
winlogon='HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon'
system='HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
explorer='HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer'
# What the program itself notes when it is made a service is its own: that it is there, and gone, is looked at.
service='value System.*\\Services\\CleanshiftService \|"StationAccount"'
# That it runs is not asked: under Wine, whose accounts lack what it needs, it ends at once.
is_service() {
  [ "$(value 'HKLM\SYSTEM\CurrentControlSet\Services\CleanshiftService' ImagePath)" = \
    '"C:\Program Files\Cleanshift\cleanshift-service.exe" run' ] || fail "there is no service"
}
quiet() { wine "$@" </dev/null >"$place/wine.log" 2>&1; }
# A value as `reg query` tells it, or nothing.
value() { wine reg query "$1" /v "$2" 2>/dev/null </dev/null | tr -d '\r' | sed -n "s/^ *$2 *REG_[A-Z_]* *//p" || true; }
is() {
  local now
  now=$(value "$1" "$2")
  [ "$now" = "$3" ] || fail "$2 is '$now' and not '$3'"
}
# Installs or removes; the exit code comes back modulo 256.
msiexec() {
  timeout 300 wine msiexec "$@" /qn '/l*v' "Z:$place/msi.log" </dev/null >"$place/wine.log" 2>&1
}
seen() {
  quiet reg export HKLM "Z:$place/exported.reg" /y
  python3 tests/msi/seen.py "$WINEPREFIX" "$place/exported.reg" >"$place/$1.seen"
}
# What came since `before`, as the committed list $2 has it.
came() {
  # Doctor is not waited for by the installation.
  for _ in $(seq 300); do [ -s "$data/doctor.txt" ] && break; sleep 0.2; done
  seen after
  diff "$place/before.seen" "$place/after.seen" | sed -n 's/^> /+ /p; s/^< /- /p' |
    sed "s/\"$version\"/\"{VERSION}\"/" | grep -v "$service" >"$place/came" || true
  if [ "${SEEN:-}" = new ]; then cp "$place/came" "tests/msi/$1"; fi
  diff -u "tests/msi/$1" "$place/came" || fail "what was installed is not what tests/msi/$1 says"
}
# What is left since `before`: the lines given.
left() {
  seen after
  diff "$place/before.seen" "$place/after.seen" | sed -n 's/^> /+ /p; s/^< /- /p' >"$place/left" || true
  diff -u <([ $# = 0 ] || printf '%s\n' "$@") "$place/left" || fail "what is left is not what should be"
}
# Wine's own shell value, or the one that Windows has.
quiet reg add "$winlogon" /v Shell /d explorer.exe /f
seen before

say "installed"
msiexec /i "$msi" || fail "it was not installed: $(tail -n 5 "$place/msi.log")"
came installed.txt

say "run"
wine "$ctl" --version </dev/null 2>/dev/null | tr -d '\r' | grep -qx "cleanshiftctl $version" || fail "it does not tell its version"
wine "$ctl" policy check 'C:\Program Files\Cleanshift\policies\ward.toml' </dev/null >"$place/said" 2>&1 ||
  fail "the sample is not good: $(cat "$place/said")"
echo 'nonsense = 1' >"$place/bad.toml"
! wine "$ctl" policy check "Z:$place/bad.toml" </dev/null >"$place/said" 2>&1 || fail "a bad policy passes"

say "upgraded: the policy and the state are kept"
echo '# edited' >>"$data/policy.toml"
cp "$data/policy.toml" "$place/edited.toml"
mkdir -p "$data/state"
echo ledger >"$data/state/kept"
grep -q 'DisplayVersion.*"'"$version"'"' "$place/after.seen" || fail "Add/Remove does not tell the version"
msiexec /i "$next" || fail "it was not upgraded"
cmp "$place/edited.toml" "$data/policy.toml" || fail "the edited policy was not kept"
[ -e "$data/state/kept" ] || fail "the state was not kept"
[ -e "$ctl" ] || fail "the programs are gone after the upgrade"
seen after
[ "$(grep -c 'Uninstall.*"DisplayName"="Cleanshift"' "$place/after.seen")" = 1 ] || fail "there is not one entry in Add/Remove"
grep -q 'DisplayVersion.*"9.0.0"' "$place/after.seen" || fail "Add/Remove does not tell the new version"
is "$winlogon" Shell explorer.exe

say "not downgraded"
! msiexec /i "$msi" || fail "an older version was installed over a newer"
# Wine shows the sentence of the launch condition in a box alone; that it was this condition is in the log.
grep -q 'LaunchConditions. Return value [03]' <(tr -d '\0' <"$place/msi.log") ||
  fail "something else than the newer version was the reason: $(tail -n 5 "$place/msi.log")"
seen after
grep -q 'DisplayVersion.*"9.0.0"' "$place/after.seen" || fail "the newer version is not there any more"

say "uninstalled: all gone, but the policy and the state"
msiexec /x "$next" || fail "it was not uninstalled"
left '+ directory C:\ProgramData\Cleanshift' '+ file C:\ProgramData\Cleanshift\policy.toml' \
  '+ directory C:\ProgramData\Cleanshift\state' '+ file C:\ProgramData\Cleanshift\state\kept'
cmp "$place/edited.toml" "$data/policy.toml" || fail "the edited policy was not kept"

say "installed as a kiosk; what somebody else has set is left alone"
quiet reg add "$system" /v DisableTaskMgr /t REG_DWORD /d 0 /f
quiet reg add "$explorer" /v NoLogoff /t REG_DWORD /d 1 /f
rm -rf "$data"
seen before
! grep -q "$service" "$place/before.seen" || fail "there is a service before"
msiexec /i "$msi" ADDLOCAL=Main,Kiosk STATIONACCOUNT="$(id -un)" || fail "the kiosk was not installed"
came kiosk.txt
grep -q "$service" "$place/after.seen" || fail "there is no service"
is_service
is "$winlogon" Shell '"C:\Program Files\Cleanshift\cleanshift.exe" --watch'
is "$system" DisableTaskMgr 0x0
is "$explorer" NoLogoff 0x1

say "upgraded: it stays one, and so does the service"
# Wine does not tell the old package that it goes for a newer one (UPGRADINGPRODUCTCODE), so that it takes the service
# away: the new one makes it again for the account that it was for.
msiexec /i "$next" || fail "the kiosk was not upgraded"
is_service
is "$winlogon" Shell '"C:\Program Files\Cleanshift\cleanshift.exe" --watch'
is "$system" DisableLockWorkstation 0x1
is "$system" DisableTaskMgr 0x0

say "installed again by the same line: nothing changes"
msiexec /i "$next" STATIONACCOUNT="$(id -un)" || fail "it could not be installed again"
is_service
is "$winlogon" Shell '"C:\Program Files\Cleanshift\cleanshift.exe" --watch'

say "no kiosk any more, and then again"
msiexec /i "$next" REMOVE=Kiosk || fail "the kiosk could not be taken away"
is "$winlogon" Shell explorer.exe
is "$system" DisableLockWorkstation ''
is "$explorer" NoLogoff 0x1
[ -e "$ctl" ] || fail "the programs are gone with the kiosk"
msiexec /i "$next" ADDLOCAL=Kiosk || fail "the kiosk could not be added"
is "$winlogon" Shell '"C:\Program Files\Cleanshift\cleanshift.exe" --watch'

say "uninstalled with the state: explorer.exe is back, and what was somebody else's is there"
mkdir -p "$data/state"
echo ledger >"$data/state/kept"
msiexec /x "$next" PURGE=1 || fail "the kiosk was not uninstalled"
is "$winlogon" Shell explorer.exe
is "$explorer" NoLogoff 0x1
left
say "good"
