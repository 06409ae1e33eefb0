#!/bin/bash
# Packs the programs that were built into target/debian/cleanshift_VERSION_ARCHITECTURE.deb.
#
# Debian has no cargo-deb; debhelper is in every Debian, knows its dependencies on libraries, strips,
# compresses and writes the maintainer scripts' usual parts.
#
# Use: packaging/deb.sh DIRECTORY-OF-PROGRAMS      VERSION=1.2.3 gives the package another version
set -euo pipefail
cd "$(dirname "$0")/.."

programs=$1
target=${CARGO_TARGET_DIR:-target}
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)}
into=${INTO:-$target/debian}
tree=$into/tree

# Two packages of one commit have the same dates in them.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y packaging/CHANGELOG.md)}
export SOURCE_DATE_EPOCH

rm -rf "$tree"
mkdir -p "$tree/programs"
cp -r packaging/debian "$tree/debian"
rm "$tree/debian/changelog.py"
# A package of an older version refuses to be put over a newer store.
known=$(sed -n 's/^const VERSION: i32 = \([0-9]*\);$/\1/p' src/store/schema.rs)
[ -n "$known" ] || { echo "deb: src/store/schema.rs does not say the store's version" >&2; exit 1; }
sed -i "s/@STORE_VERSION@/$known/" "$tree/debian/cleanshift.preinst"
for program in cleanshift cleanshiftctl cleanshift-init cleanshift-looker; do
  cp "$programs/$program" "$tree/programs/"
done
cp -r packaging policies assets "$tree/"
"$programs/cleanshift-pages" "$tree/pages"
mkdir "$tree/pages/bash"
for program in cleanshift cleanshiftctl; do
  mv "$tree/pages/$program.bash" "$tree/pages/bash/$program"
done
python3 packaging/debian/changelog.py "$version" "$(date -uRd "@$SOURCE_DATE_EPOCH")" \
  <packaging/CHANGELOG.md >"$tree/debian/changelog"

# What other people wrote and is linked into the programs.
{
  echo "The crates that Cleanshift's programs are built from: name, version, licence (SPDX)."
  echo
  cargo tree --locked --edges normal,build --prefix none --no-dedupe --format '{p} {l}' |
    grep -v '^cleanshift ' | sed 's/ (proc-macro)//' | sort -u
} >"$tree/crates.txt"

# A package of a development build is for trying it out.
if [ "$(basename "$programs")" = debug ]; then
  export CLEANSHIFT_COMPRESSION="-Zgzip -z1"
fi
cd "$tree"
dpkg-buildpackage --build=binary --no-sign --jobs=auto >"../build.log" 2>&1 || {
  tail -n 40 ../build.log >&2
  exit 1
}
cd - >/dev/null
rm -rf "$tree"
ls "$into/cleanshift_${version}_$(dpkg --print-architecture).deb"
