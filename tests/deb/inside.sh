#!/bin/bash
# The phases of the package's life, each run as root in a root file system of Debian. Ends with the first
# thing that is not as it should be.
set -euo pipefail

new=/debs/cleanshift_${VERSION}_$(dpkg --print-architecture).deb
older=/debs/cleanshift_0.0.1.deb
state=/var/lib/cleanshift
out=/tmp/out

fail() {
  echo "  wrong: $*"
  [ ! -s "$out" ] || sed 's/^/    | /' "$out" | tail -n 40
  exit 1
}
good() { echo "  $*"; }
# Runs it and keeps what it says; the first argument is the exit code that is right.
expect() {
  local wanted=$1 got=0
  shift
  "$@" >"$out" 2>&1 </dev/null || got=$?
  [ "$got" = "$wanted" ] || fail "$* ended with $got, not $wanted"
}
says() { grep -qF -- "$1" "$out" || fail "it does not say: $1"; }
# As the station's account, with nothing of root's environment.
account() {
  setpriv --reuid cleanshift --regid cleanshift --clear-groups env -i \
    PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=$state "$@"
}
# Owner, group and mode of a file that is to be there.
is() {
  local found
  found=$(stat -c '%U %G %a' "$1" 2>/dev/null) || fail "$1 is missing"
  [ "$found" = "$2" ] || fail "$1 is $found, not $2"
}
whole() {
  expect 0 account cleanshiftctl log verify --json
  says '"verdict": "whole"'
}
entries() { account cleanshiftctl log verify --json | sed -n 's/^  "entries": \([0-9]*\),$/\1/p'; }
version_of() { dpkg-query -W -f '${Version}' cleanshift; }
installs() { expect 0 apt-get install -y --no-install-recommends "$@"; }

# Everything that lies here but what lives: path, kind, mode, owner, and size, or the bytes with their time. Accounts
# have no time: their files are written anew with each.
fingerprint() {
  find / -xdev \( -path /debs -o -path /tmp -o -path /sys -o -path /root -o -path /var/cache -o -path /var/log \
    -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/systemd -o -path '/etc/*-' -o -path /etc/.pwd.lock \
    -o -path /etc/ld.so.cache -o -path /etc/hosts -o -path /etc/resolv.conf \) -prune \
    -o \( -path /etc/passwd -o -path /etc/group -o -path /etc/shadow -o -path /etc/gshadow \) -printf '%p %y %m %U:%G ' -exec sha256sum -z '{}' ';' -printf '\n' \
    -o -type f \( -path '/etc/*' -o -path '/var/*' \) -printf '%p %y %m %U:%G %s at %T@ ' -exec sha256sum -z '{}' ';' -printf '\n' \
    -o -type f -printf '%p %y %m %U:%G %s\n' -o -printf '%p %y %m %U:%G %l\n' | tr -d '\0' | sort
}

install() {
  expect 0 apt-get update
  [ -z "$(find / -xdev -path /debs -prune -o -name '*cleanshift*' -print -quit)" ] || fail "it is here already"
  expect 0 apt-get install -s --no-install-recommends "$older"
  local needed
  needed=$(awk '$1 == "Inst" && $2 != "cleanshift" { print $2 }' "$out")
  # shellcheck disable=SC2086 -- several words.
  installs $needed
  # What the shift takes beside the package: displays, a virtual reader, apps and a look at the store.
  installs xvfb xserver-xorg-video-dummy vsmartcard-vpcd chromium firefox-esr xterm libsecret-tools xdotool sqlite3 iproute2 pcsc-tools procps
  fingerprint >/tmp/before
  installs "$older"
  cp "$out" /tmp/installed.log
  [ "$(version_of)" = 0.0.1 ] || fail "the older version is not installed"
  good "installed $(version_of) with $(wc -w <<<"$needed") packages that it needs"
}

look() {
  is /usr/bin/cleanshift 'root root 755'
  is /usr/bin/cleanshiftctl 'root root 755'
  is /usr/lib/cleanshift 'root root 755'
  is /usr/lib/cleanshift/cleanshift-init 'root root 755'
  is /usr/lib/cleanshift/cleanshift-looker 'root root 4755'
  is /etc/cleanshift 'root root 755'
  is $state 'cleanshift cleanshift 700'
  is /usr/lib/systemd/system/cleanshift.service 'root root 644'
  is /usr/share/polkit-1/rules.d/60-cleanshift.rules 'root root 644'
  is /usr/share/cleanshift/policies/policy.schema.json 'root root 644'
  is /usr/share/man/man1/cleanshift.1.gz 'root root 644'
  is /usr/share/man/man1/cleanshiftctl-log-verify.1.gz 'root root 644'
  local file
  # Of all it brings nothing but the looker runs as another, and nobody but root may write any of it.
  : >"$out"
  while read -r file; do
    # Directories that others share are theirs to close.
    case "$file" in /usr/lib/cleanshift | /usr/share/cleanshift*) ;; *) [ ! -d "$file" ] || continue ;; esac
    [ -L "$file" ] || [ -z "$(find "$file" -maxdepth 0 \( ! -user root -o -perm /022 -o -perm /6000 \) -print)" ] ||
      [ "$file" = /usr/lib/cleanshift/cleanshift-looker ] || fail "$file: $(stat -c '%U %G %a' "$file")"
  done < <(dpkg -L cleanshift)
  expect 0 dpkg --verify cleanshift
  [ ! -s "$out" ] || fail "files are not as the package has them"
  getent passwd cleanshift >"$out"
  says ":$state:/usr/sbin/nologin"
  [ "$(getent shadow cleanshift | cut -d: -f2 | cut -c1)" = '!' ] || fail "the account has a password"
  [ -z "$(find /etc/systemd /etc/X11 /etc/sysctl.d -name '*cleanshift*' -print -quit)" ] || fail "installing has enabled something"
  good "files, account and modes are right, and nothing is enabled"

  local program
  for program in /usr/bin/cleanshift /usr/bin/cleanshiftctl /usr/lib/cleanshift/cleanshift-init /usr/lib/cleanshift/cleanshift-looker; do
    expect 0 ldd "$program"
    ! grep -q 'not found' "$out" || fail "$program misses a library"
  done
  expect 0 bash -c '. /usr/share/bash-completion/completions/cleanshiftctl; complete -p cleanshiftctl'
  expect 2 cleanshift
  says "refuses to run as root"
  expect 0 account /usr/lib/cleanshift/cleanshift-looker
  says '"cron"'
  local policies=(/usr/share/cleanshift/policies/*.toml)
  [ ${#policies[@]} -ge 5 ] || fail "sample policies are missing"
  expect 0 cleanshiftctl policy check "${policies[@]}"
  expect 0 cleanshiftctl policy schema
  cmp -s "$out" /usr/share/cleanshift/policies/policy.schema.json || fail "the policies' schema is another version's"
  good "programs, completions, schema and ${#policies[@]} sample policies are right"

  if cleanshiftctl doctor --help >/dev/null 2>&1; then
    local code=0
    cleanshiftctl doctor >"$out" 2>&1 || code=$?
    [ "$code" -le 1 ] || fail "doctor could not run"
    grep -q 'cleanshiftctl doctor. tells all of it' /tmp/installed.log || fail "the installation has not told what doctor says"
    good "doctor ran here and when it was installed: exit code $code"
  fi
}

# What differs between two fingerprints, as paths.
differs() { { diff "$1" "$2" || true; } | sed -n 's/^[<>] \([^ ]*\) .*/\1/p' | sort -u; }

cycle() {
  # Secrets, where root works from a desktop with a keyring of its own: the station's account would not find them there.
  mkdir -m 700 /tmp/desk
  expect 0 env HOME=/tmp/desk XDG_RUNTIME_DIR=/tmp/desk dbus-run-session -- bash -c '
    printf open | gnome-keyring-daemon --unlock --components=secrets >/dev/null
    printf canary | secret-tool store --label=canary service canary
    echo "the keyring has: $(secret-tool lookup service canary)"
    cleanshiftctl --policy /usr/share/cleanshift/policies/ward.toml roster add ana.ruiz --name "Ana Ruiz" --role nurse --badge 04A1B2C3
    echo "and of the station: $(secret-tool lookup service cleanshift | wc -c)"'
  says 'the keyring has: canary'
  says 'added: ana.ruiz'
  says 'and of the station: 0'
  is $state/pepper 'cleanshift cleanshift 600'
  cleanshiftctl doctor --json >"$out" 2>&1 || true
  says "a file, $state/pepper, its account's alone"
  mv $state/pepper /tmp/pepper
  expect 2 cleanshiftctl --policy /usr/share/cleanshift/policies/ward.toml roster reset-pin ana.ruiz
  says 'only the account that owns'
  cleanshiftctl doctor --json >"$out" 2>&1 || true
  says 'the account cleanshift has no keyring where else it could be'
  mv /tmp/pepper $state/pepper
  [ -z "$(find $state -perm /077 -print)" ] || fail "others may read the state"
  good "secrets are in files of the account, although root has a keyring; a lost one is told"

  # What was there before the kiosk, of every kind that it replaces.
  mkdir -p /etc/systemd/logind.conf.d
  echo 'kernel.sysrq = 438' >/etc/sysctl.d/60-cleanshift.conf
  chown games:games /etc/sysctl.d/60-cleanshift.conf
  chmod 640 /etc/sysctl.d/60-cleanshift.conf
  touch -d '2005-03-18 01:58:31.222222222' /etc/sysctl.d/60-cleanshift.conf
  ln -sfn /lib/systemd/system/lightdm.service /etc/systemd/system/display-manager.service
  echo '[Unit]' >/etc/systemd/system/ctrl-alt-del.target
  fingerprint >/tmp/kiosk.before
  expect 0 cleanshiftctl kiosk enable --anyway --policy /usr/share/cleanshift/policies/ward.toml
  says 'enabled: from the next start on'
  expect 0 cleanshiftctl kiosk status
  fingerprint >/tmp/kiosk.during
  local touched
  touched=$(differs /tmp/kiosk.before /tmp/kiosk.during | wc -l)
  [ "$touched" -ge 14 ] || fail "only $touched paths are others than before"
  expect 0 cleanshiftctl kiosk disable
  fingerprint >/tmp/kiosk.after
  differs /tmp/kiosk.before /tmp/kiosk.after >"$out"
  [ ! -s "$out" ] || fail "disabling has not put these back"
  # One byte, one mode and one time would have been seen.
  echo 'kernel.sysrq = 439' >/etc/sysctl.d/60-cleanshift.conf
  chmod 600 /etc/systemd/system/ctrl-alt-del.target
  fingerprint >/tmp/kiosk.after
  [ "$(differs /tmp/kiosk.before /tmp/kiosk.after | wc -l)" = 2 ] || fail "the look does not see what is planted"
  echo 'kernel.sysrq = 438' >/etc/sysctl.d/60-cleanshift.conf
  touch -d '2005-03-18 01:58:31.222222222' /etc/sysctl.d/60-cleanshift.conf
  chmod 644 /etc/systemd/system/ctrl-alt-del.target
  good "the kiosk touched $touched paths, and put back every byte, owner, mode and time"
  # Removing the package puts them back too.
  expect 0 cleanshiftctl kiosk enable --anyway --policy /usr/share/cleanshift/policies/ward.toml
  expect 0 apt-get remove -y cleanshift
  fingerprint >/tmp/kiosk.after
  dpkg-deb -c "$older" | awk '{ print substr($6, 2) }' | sed 's,/$,,' | sort >/tmp/packaged
  differs /tmp/kiosk.before /tmp/kiosk.after | comm -23 - /tmp/packaged | grep -vxF /usr/share/bash-completion >"$out" || true
  [ ! -s "$out" ] || fail "removing has not put these back"
  rm /etc/sysctl.d/60-cleanshift.conf /etc/systemd/system/display-manager.service /etc/systemd/system/ctrl-alt-del.target
  rmdir --ignore-fail-on-non-empty /etc/systemd/logind.conf.d
  good "so does removing the package"

  # Somebody is there who can be asked for the ledger.
  script -qec 'DEBIAN_FRONTEND=teletype dpkg --purge cleanshift' /dev/null <<<yes >"$out" 2>&1 || fail "the purge failed"
  says "Remove the station's ledger too?"
  [ ! -e $state ] || fail "the ledger was kept, although told otherwise"
  fingerprint >/tmp/after
  differs /tmp/before /tmp/after >"$out"
  [ ! -s "$out" ] || fail "the purge has left these, or others than before"
  good "a purge asks for the ledger; told to take it, it leaves the $(wc -l </tmp/after) paths as they were"
  expect 0 dpkg -i "$older"
}

# Waits a bounded time until the command holds.
until_holds() {
  local tries
  for tries in $(seq 600); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  return 1
}
stage_state() { ls -d /tmp/cleanshift-stage-*/state 2>/dev/null | head -n 1; }
attended() { [ "$(cleanshiftctl --state "$(stage_state)" vacant | grep -c 'not vacant: a session was open')" = 1 ]; }

shift_() {
  expect 0 cleanshiftctl vacant
  says vacant
  mkdir -p /tmp/.X11-unix
  chmod 1777 /tmp/.X11-unix
  account cleanshiftctl demo shift --into /tmp/shift >/tmp/shift.log 2>&1 </dev/null &
  local shift=$!
  until_holds attended || { cp /tmp/shift.log "$out"; fail "the station was never attended"; }
  # The running station's state stands where the installed one's does, so that an upgrade meets a session.
  mount --bind "$(stage_state)" $state
  cp "$(dirname "$(stage_state)")/policy.toml" /etc/cleanshift/policy.toml
  expect 1 cleanshiftctl vacant
  says 'not vacant: a session was open'
  if CLEANSHIFT_UPGRADE_WAIT=1 dpkg -i "$new" >"$out" 2>&1; then fail "the upgrade went on during a session"; fi
  says 'somebody works at the station'
  [ "$(dpkg-query -W -f '${Status} ${Version}' cleanshift)" = 'install ok installed 0.0.1' ] || fail "the refused upgrade has changed something"
  if CLEANSHIFT_UPGRADE_WAIT=1 apt-get remove -y cleanshift >"$out" 2>&1; then fail "it was removed during a session"; fi
  says 'somebody works at the station'
  expect 0 cleanshiftctl --version
  good "an upgrade and a removal during a session were refused, and left $(version_of) as it was"
  umount $state
  wait "$shift" || { cp /tmp/shift.log "$out"; fail "the shift was off"; }
  [ "$(ls /tmp/shift/*.png | wc -l)" -ge 10 ] || fail "the shift has left too few pictures"
  good "a whole shift as the account cleanshift: $(ls /tmp/shift/*.png | wc -l) pictures"
  # The shift's own ledger becomes the installed station's.
  rm -rf $state
  cp -a /tmp/shift/state $state
  chmod 700 $state
  whole
  [ -z "$(find $state -type f \( -perm /077 -o ! -user cleanshift \) -print)" ] || fail "others may read the state: $(ls -l $state)"
  expect 0 cleanshiftctl roster list
  says ana
  good "its ledger verifies: $(entries) entries"
}

upgrade() {
  local before
  before=$(entries)
  [ "$before" -gt 5 ] || fail "there is no ledger to keep"
  expect 0 apt-get install -y --no-install-recommends "$new"
  [ "$(version_of)" = "$VERSION" ] || fail "the upgrade did not happen"
  whole
  [ "$(entries)" = "$before" ] || fail "the ledger had $before entries and has $(entries)"
  is $state 'cleanshift cleanshift 700'
  [ -s /etc/cleanshift/policy.toml ] || fail "the policy is gone"
  good "upgraded from 0.0.1 to $VERSION with all $before entries"
}

downgrade() {
  local before
  before=$(entries)
  expect 0 apt-get install -y --no-install-recommends --allow-downgrades "$older"
  whole
  # As a release of the future would leave it.
  local schema
  schema=$(account sqlite3 $state/station.db 'PRAGMA user_version')
  account sqlite3 $state/station.db 'PRAGMA user_version = 1000; PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
  sha256sum $state/station.db >/tmp/store
  expect 2 account cleanshift
  says 'a newer Cleanshift wrote it (store version 1000'
  expect 2 account cleanshiftctl log list
  says 'install that version again'
  refused 1000
  expect 0 sha256sum --check --quiet /tmp/store
  # And so where a power cut has left it beside the file alone.
  account sqlite3 $state/station.db "PRAGMA user_version = $schema; PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
  account bash -c "sqlite3 $state/station.db 'PRAGMA user_version = 1001' '.shell kill -9 \$PPID'" >/dev/null 2>&1 || true
  [ -s $state/station.db-wal ] && [ "$(od -An -tu4 --endian=big -j60 -N4 $state/station.db | tr -d ' ')" = "$schema" ] ||
    fail "what was written beside the store is in it already"
  refused 1001
  account sqlite3 $state/station.db "PRAGMA user_version = $schema; PRAGMA wal_checkpoint(TRUNCATE)" >/dev/null
  whole
  [ "$(entries)" = "$before" ] || fail "the ledger had $before entries and has $(entries)"
  expect 0 dpkg -i "$older"
  good "an older version refuses a newer store, says why, and changes nothing of it; nor is its package put over it"
}

# The package is not put over a store of this version, and says so.
refused() {
  expect 1 dpkg -i "$new"
  says "$state/station.db has version $1, this package knows"
  says 'install that version again, or a newer one'
  [ "$(dpkg-query -W -f '${Status} ${Version}' cleanshift)" = 'install ok installed 0.0.1' ] || fail "it was changed all the same"
}

remove() {
  local before
  before=$(entries)
  expect 0 apt-get install -y --no-install-recommends "$new"
  expect 0 apt-get remove -y cleanshift
  [ ! -e /usr/bin/cleanshift ] && [ ! -e /usr/lib/cleanshift ] || fail "programs are left"
  [ -s /etc/cleanshift/policy.toml ] && [ -s $state/station.db ] || fail "removing has taken more than the programs"
  expect 0 apt-get purge -y cleanshift
  says "the ledger was kept in $state"
  [ ! -e /etc/cleanshift ] || fail "the policy is left after a purge"
  [ -s $state/station.db ] || fail "the ledger is gone"
  good "purged, and the ledger kept"
  expect 0 apt-get install -y --no-install-recommends "$new"
  whole
  [ "$(entries)" = "$before" ] || fail "the ledger had $before entries and has $(entries)"
  echo 'cleanshift cleanshift/purge-ledger boolean true' | debconf-set-selections
  expect 0 apt-get purge -y cleanshift
  ! getent passwd cleanshift >/dev/null && ! getent group cleanshift >/dev/null || fail "the account is left"
  find / -xdev \( -path /debs -o -path /tmp \) -prune -o \( -iname '*cleanshift*' -o -nouser \) -print >"$out"
  [ ! -s "$out" ] || fail "something is left after the purge"
  good "purged with the ledger, when told so: nothing is left"
}

# The README's lines for IT, as they stand there.
page() {
  local block line code
  rm -f /etc/reader.conf.d/vpcd
  apt-get remove -y vsmartcard-vpcd >/dev/null
  # What a person would answer, and no network.
  printf '%s\n' 'APT::Get::Assume-Yes "true";' 'APT::Install-Recommends "false";' >/etc/apt/apt.conf.d/person
  mkdir -p /tmp/page
  cd /tmp/page
  cp "$new" .
  cp "$new" "cleanshift_0.1.0_amd64.deb"
  sed -n '/^## A station of your own: the package/,/^## A station of your own: the image/p' /debs/README.md >section
  sed -n '/^On the station, as root/,/^`make test-deb` runs these lines/p' section |
    sed -n '/^```sh$/,/^```$/p' | sed '/^```/d; /^reboot$/d' >lines
  [ "$(wc -l <lines)" -ge 14 ] || fail "the README has too few lines"
  while read -r line; do
    code=0
    DEBIAN_FRONTEND=noninteractive bash -c "$line" >"$out" 2>&1 </dev/null || code=$?
    case "$line:$code" in
      *:0) ;;
      # Namespaces are no machine: what the doctor finds here is told.
      "cleanshiftctl doctor"*:1) sed -n '/^bad /p' "$out" | sed 's/^/  doctor: /' ;;
      "cleanshiftctl kiosk enable"*:1)
        says 'nothing was changed'
        expect 0 cleanshiftctl kiosk enable --policy policy.toml --anyway
        good "enabled anyway"
        ;;
      # No systemd runs here; tests/deb/boot.sh has one.
      "systemctl status"*:[134]) ;;
      *) fail "$line: ended with $code" ;;
    esac
  done <lines
  good "the README's $(wc -l <lines) lines for IT, as they stand there"
}

echo "$1"
case "$1" in
  install | look | cycle | upgrade | downgrade | remove | page) "$1" ;;
  shift) shift_ ;;
esac
