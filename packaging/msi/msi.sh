#!/bin/bash
# Packs the Windows programs that were built into <target>/msi/cleanshift-VERSION-x64.msi, and looks whether wixl, which
# loses what it does not know and says so at most in passing, has packed all that was asked for.
#
# Use: packaging/msi/msi.sh DIRECTORY-OF-PROGRAMS    VERSION=1.2.3 gives the package another version
#      CLEANSHIFT_SIGN_CERT (PEM) and CLEANSHIFT_SIGN_KEY (PEM) sign the programs and the package;
#      CLEANSHIFT_SIGN_PASSWORD_FILE is where the key's password stands, CLEANSHIFT_SIGN_TIMESTAMP a time server
#      TABLES=new takes the tables as they came out for what is expected: read the difference before it is committed
set -euo pipefail
cd "$(dirname "$0")/../.."

programs=$1
target=${CARGO_TARGET_DIR:-target}
own=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
version=${VERSION:-$own}
into=$(realpath -m "${INTO:-$target/msi}")
tree=$into/tree
wxs=${WXS:-packaging/msi/cleanshift.wxs}
here=packaging/msi
msi=$into/cleanshift-$version-x64.msi

fail() {
  echo "msi: $*" >&2
  exit 1
}
# What is said on standard error is a failure, whatever the exit code.
strict() {
  local said
  said=$("$@" 2>&1 >/dev/null) || fail "$* failed: $said"
  [ -z "$said" ] || fail "$* loses something: $said"
}
sign() {
  local arguments=(-certs "$CLEANSHIFT_SIGN_CERT" -key "$CLEANSHIFT_SIGN_KEY" -h sha256 -n Cleanshift)
  [ -z "${CLEANSHIFT_SIGN_PASSWORD_FILE:-}" ] || arguments+=(-readpass "$CLEANSHIFT_SIGN_PASSWORD_FILE")
  [ -z "${CLEANSHIFT_SIGN_TIMESTAMP:-}" ] || arguments+=(-ts "$CLEANSHIFT_SIGN_TIMESTAMP")
  osslsigncode sign "${arguments[@]}" -in "$1" -out "$1.signed" >"$into/sign.log" 2>&1 ||
    fail "failed to sign $1: $(cat "$into/sign.log")"
  mv "$1.signed" "$1"
}
signed=
if [ -n "${CLEANSHIFT_SIGN_CERT:-}${CLEANSHIFT_SIGN_KEY:-}" ]; then
  [ -n "${CLEANSHIFT_SIGN_CERT:-}" ] && [ -n "${CLEANSHIFT_SIGN_KEY:-}" ] ||
    fail "to sign needs both CLEANSHIFT_SIGN_CERT and CLEANSHIFT_SIGN_KEY"
  signed=yes
fi

rm -rf "$tree" "$msi"
mkdir -p "$tree/docs" "$tree/policies"
expected=$here/tables.txt
define=(-D "Version=$version")
for name in cleanshift cleanshiftctl cleanshift-service; do
  # The programs of a development build carry their symbols.
  x86_64-w64-mingw32-strip -o "$tree/$name.exe" "$programs/$name.exe"
  python3 "$here/msi.py" program "$tree/$name.exe" "$own.0" || fail "build.rs did not give the programs what they carry"
  [ -z "$signed" ] || sign "$tree/$name.exe"
done
cp assets/cleanshift.ico "$here/policy.toml" "$tree/"
python3 "$here/policy-definitions/check.py" "$here/policy-definitions"
cp "$here/policy-definitions/Cleanshift.admx" "$here/policy-definitions/en-US/Cleanshift.adml" "$tree/"
cp LICENSE "$tree/docs/LICENSE.txt"
cp README.md packaging/CHANGELOG.md packaging/verify_proof.py assets/receipt.schema.json "$tree/docs/"
cp assets/fonts/OFL-*.txt "$tree/docs/"
# The one whose apps are pages; the others start programs of Linux.
cp policies/ward.toml policies/policy.schema.json "$tree/policies/"
# What other people wrote and is linked into the programs.
{
  echo "The crates that Cleanshift's programs are built from: name, version, licence (SPDX)."
  echo
  cargo tree --locked --edges normal,build --target x86_64-pc-windows-gnu --prefix none --no-dedupe --format '{p} {l}' |
    grep -v '^cleanshift ' | sed 's/ (proc-macro)//' | sort -u
} >"$tree/docs/crates.txt"

# File versions are the programs' own: what Windows compares when one is laid over another.
python3 "$here/msi.py" make "$tree" "$into" "$own.0" "$version"
# wixl looks for sources beside the description alone.
cp "$wxs" "$into/cleanshift.wxs"
strict wixl -a x64 -I "$into" "${define[@]}" -o "$msi" "$into/cleanshift.wxs"
# All at once: for each by itself the whole package would be written anew.
mapfile -t statements <"$into/statements.sql"
strict msibuild "$msi" -q "${statements[@]}"

wixl -E -a x64 -I "$into" "${define[@]}" "$into/cleanshift.wxs" >"$into/asked.wxs"
python3 "$here/msi.py" asked "$into/asked.wxs" "$msi" || fail "the package lacks what its description asks for"
python3 "$here/msi.py" tables "$msi" >"$into/tables.txt"
if [ "${TABLES:-}" = new ]; then
  cp "$into/tables.txt" "$expected"
elif ! diff -u "$expected" "$into/tables.txt" >"$into/tables.diff"; then
  cat "$into/tables.diff" >&2
  fail "the package's tables are not those of $expected"
fi

if [ -n "$signed" ]; then
  sign "$msi"
  # By the same certificate: whether Windows trusts it is the certificate's matter.
  osslsigncode verify -CAfile "$CLEANSHIFT_SIGN_CERT" -in "$msi" >"$into/sign.log" 2>&1 ||
    fail "the package's signature does not hold: $(cat "$into/sign.log")"
  echo "$msi: signed"
else
  echo "$msi: unsigned (CLEANSHIFT_SIGN_CERT and CLEANSHIFT_SIGN_KEY sign it)"
fi
