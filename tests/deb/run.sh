#!/bin/bash
# Takes the package of target/debian through its life in root file systems of Debian; as root, by sudo where it
# is not. Nothing of the host is changed, and nothing of its accounts, keys, processes or ports is seen from
# there: each runs in namespaces of its own.
#
# Use: tests/deb/run.sh SUITE...        in target/deb: SUITE.tar is made once; SUITE.log and SUITE/ are left
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  exec sudo --preserve-env=CARGO_TARGET_DIR,KEEP_ROOT "$PWD/tests/deb/run.sh" "$@"
fi

place=$(realpath -m "${CARGO_TARGET_DIR:-target}")
debs=$place/debian
place=$place/deb
mkdir -p "$place"
# No phase takes longer; what hangs is ended, with all that it started.
patience=1200
# Where the root file systems' accounts begin on this host: nobody else's, and below 2^31.
first=1900000000

say() { echo "test-deb: $*"; }

new=$(ls -t "$debs"/cleanshift_*.deb | head -n 1)
version=$(dpkg-deb -f "$new" Version)
# The same files under a lower version stand for the package before.
older=$place/older
if [ "$(cat "$older/stamp" 2>/dev/null)" != "$(sha256sum <"$new")" ]; then
  say "making a package of a lower version"
  rm -rf "$older"
  mkdir -p "$older"
  dpkg-deb -R "$new" "$older/tree"
  sed -i 's/^Version: .*/Version: 0.0.1/' "$older/tree/DEBIAN/control"
  dpkg-deb --root-owner-group -Zgzip -b "$older/tree" "$older/cleanshift_0.0.1.deb" >/dev/null
  rm -rf "$older/tree"
  sha256sum <"$new" >"$older/stamp"
fi

# A root file system as Debian's own tool makes it, from where this host gets its packages.
make_base() {
  local suite=$1 mirror
  [ -e "$place/$suite.tar" ] && return
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 == "main" && $3 !~ /-/ { print $4; exit }')
  if [ -z "$mirror" ]; then
    say "this host gets no packages of Debian: /etc/apt/sources.list" >&2
    exit 2
  fi
  say "making a root file system of $suite"
  mmdebstrap --quiet --format=tar --variant=minbase "$suite" "$place/$suite.new" "deb $mirror $suite main"
  mv "$place/$suite.new" "$place/$suite.tar"
}

# A user namespace for all that follows, held by a process that does nothing else. Its ids are its own, so
# that no account in it shares keys, limits or ports with one of the host's.
hold() {
  unshare --user sleep infinity &
  holder=$!
  # The map is written once the namespace is there.
  until [ "$(readlink /proc/$holder/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
  echo "0 $first 65536" >"/proc/$holder/uid_map"
  echo "0 $first 65536" >"/proc/$holder/gid_map"
}
inside() { nsenter --user="/proc/$holder/ns/user" --setuid 0 --setgid 0 -- "$@"; }

# Runs one phase of tests/deb/inside.sh in the root file system, with the host's network or one of its own.
phase() {
  local root=$1 net=$2 name=$3
  local apart=(--mount --pid --ipc --uts)
  [ "$net" = own ] && apart+=(--net)
  inside timeout --kill-after=10 "$patience" \
    unshare "${apart[@]}" --fork --kill-child -- bash tests/deb/enter.sh "$root" "$net" "$name" "$version" </dev/null
}

# Takes the package as it is after the installation through its life under a systemd that runs, on a copy of the root
# file system in memory, whose owners are those of a machine. No browser is started there.
boot() {
  echo boot
  mkdir -p "$place/boot"
  unshare --mount --propagation private bash -euo pipefail -c '
    mount -t tmpfs -o mode=755 none "$1"
    nsenter --user="/proc/$4/ns/user" --setuid 0 --setgid 0 -- tar -c --numeric-owner -C "$2" --exclude="./debs/*" \
      --exclude="./tmp/*" --exclude="./var/cache/apt/*" --exclude=./usr/lib/chromium --exclude=./usr/lib/firefox-esr . |
      tar -x --numeric-owner -p -C "$1"
    tests/deb/boot.sh "$1" "$2/debs" "$3"' boot "$place/boot" "$1" "$version" "$holder" </dev/null
}

ended=0
holder=
trap '[ -z "$holder" ] || kill "$holder" 2>/dev/null || true' EXIT
for suite in "$@"; do
  make_base "$suite"
  root=$place/root-$suite
  hold
  clear_root() { [ ! -e "$root" ] || inside rm -rf "$root/"* && rm -rf "$root"; }
  clear_root
  mkdir "$root"
  chmod 755 "$root"
  chown $first:$first "$root"
  inside tar -x --numeric-owner -p -C "$root" --exclude='./dev/*' <"$place/$suite.tar"
  # What is lost in a power cut is made anew.
  echo force-unsafe-io | inside sh -c "cat >'$root/etc/dpkg/dpkg.cfg.d/unsafe-io'"
  inside mkdir "$root/debs"
  for deb in "$new" "$older/cleanshift_0.0.1.deb"; do
    inside sh -c "cat >'$root/debs/$(basename "$deb")'" <"$deb"
  done
  inside sh -c "cat >'$root/debs/inside.sh'" <tests/deb/inside.sh
  inside sh -c "cat >'$root/debs/README.md'" <README.md
  say "$suite: $version"
  good=yes
  for step in host:install own:look own:cycle boot own:shift own:upgrade own:downgrade own:remove own:page; do
    if [ "$step" = boot ]; then take=(boot "$root"); else take=(phase "$root" "${step%:*}" "${step#*:}"); fi
    if ! "${take[@]}"; then
      say "$suite: ${step#*:} FAILED"
      good=no
      ended=1
      break
    fi
  done 2>&1 | tee "$place/$suite.log"
  good=$([ "${PIPESTATUS[0]}" = 0 ] && ! grep -q ' FAILED$' "$place/$suite.log" && echo yes || echo no)
  rm -rf "${place:?}/$suite"
  if inside test -d "$root/tmp/shift"; then
    mkdir "$place/$suite"
    inside tar -c -C "$root/tmp/shift" --exclude=./state . | tar -x --no-same-owner -C "$place/$suite"
  fi
  if [ "$good" = yes ]; then
    say "$suite: good"
  else
    ended=1
  fi
  [ -n "${KEEP_ROOT:-}" ] || clear_root
  kill "$holder"
  wait "$holder" 2>/dev/null || true
  holder=
done
exit "$ended"
