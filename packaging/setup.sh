#!/bin/bash
# Installs what Cleanshift needs to be built, run, tested and measured on Debian 12 or newer, and says
# what it does. Does nothing, and says nothing, when all is there. Stops, starts and disables nothing
# of the host.
#
# Use: packaging/setup.sh [run|test|bench]      each has what the ones before it have; default: bench
#      packaging/setup.sh deb                   what it takes to make the package and to try it
#      packaging/setup.sh image                 and the disk image
#      packaging/setup.sh windows               what it takes to build for Windows and to test that under Wine
#      packaging/setup.sh msi                   the same, and what it takes to make the package for Windows and to try it
set -euo pipefail

build="gcc libc6-dev libpcsclite-dev make pkg-config"
run="bubblewrap dbus-bin dbus-daemon fonts-dejavu-core gnome-keyring libpcsclite1 libx11-6 libx11-xcb1
     libxcb1 libxcursor1 libxi6 libxkbcommon-x11-0 libxkbcommon0 openbox passt pcscd util-linux
     x11-xkb-utils xkb-data xserver-xephyr"
test="at chromium cron cups-client cups-daemon firefox-esr git gpg gpg-agent gpgconf iproute2 keyutils libsecret-tools
      openssh-client openssh-server passwd postgresql python3 python3-venv sudo systemd vsmartcard-vpcd x11-apps x11-utils x11-xserver-utils xauth xclip xdotool xinput xserver-xorg-core
      xserver-xorg-video-dummy xterm xvfb"
deb="debhelper dpkg-dev iproute2 lintian mmdebstrap python3"
image="dosfstools fdisk git mtools openssh-client ovmf qemu-system-x86 qemu-utils tesseract-ocr tesseract-ocr-eng"
windows="cargo-web binutils-mingw-w64-x86-64 fonts-dejavu-core g++-mingw-w64-x86-64-win32 gcc-mingw-w64-x86-64-win32
         iproute2 libgssapi-krb5-2 libkrb5-3 libpcsclite1 libwine-dev pcscd python3 rust-web-src rustc-web util-linux vsmartcard-vpcd wine wine64
         wine64-tools xauth xdotool xvfb"
msi="msitools openssl osslsigncode wixl"
bench="i3lock systemd-journal-remote xsecurelock"

# One that came from elsewhere than Debian brings npm along, and does not stand beside Debian's.
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  test="$test nodejs npm"
fi

case "${1:-bench}" in
  run) wanted="$build $run" ;;
  test) wanted="$build $run $test" ;;
  bench) wanted="$build $run $test $bench" ;;
  deb) wanted="$build $deb" ;;
  image) wanted="$build $deb $image" ;;
  windows) wanted="$build $windows" ;;
  msi) wanted="$build $windows $msi" ;;
  *)
    echo "setup: there is no part called $1: use run, test, bench, deb, image, windows or msi" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "setup: this is no Debian: install its equivalents of" $wanted >&2
  exit 2
fi

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: to do this needs root, and sudo is not installed: run packaging/setup.sh as root" >&2
    exit 2
  fi
}

# Whatever gives a package counts: Debian 13 gave some libraries other names (t64) that provide the old.
there=$(dpkg-query -W -f='${db:Status-Status}\t${Package}, ${Provides}\n' |
  awk -F '\t' '$1 == "installed" { gsub(/\([^)]*\)|,/, " ", $2); print $2 }' | tr -s ' ' '\n' | sort -u)
missing=()
for package in $wanted; do
  grep -qxF -- "$package" <<<"$there" || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
  echo "setup: installing ${missing[*]}"
  install() {
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
  }
  # The list of packages may be empty, or so old that it names files that are gone.
  if ! apt-get install -s -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || ! install; then
    echo "setup: reading the list of packages anew"
    as_root apt-get update -qq </dev/null
    install
  fi
  case " ${missing[*]} " in
    *" vsmartcard-vpcd "*)
      echo "setup: vsmartcard-vpcd gives this machine's own card service a virtual reader that anybody on" \
        "the network can reach: remove the package before real badges count here"
      ;;
  esac
  case " ${missing[*]} " in
    *" openssh-server "*)
      echo "setup: openssh-server is installed for its program alone; where Debian has started it as a" \
        "service, and this machine is to have none: systemctl disable --now ssh"
      ;;
  esac
fi

# Debian's list may have an older Rust beside the one that its security updates have, or that one alone.
if [ "${1:-bench}" = windows ] || [ "${1:-bench}" = msi ]; then
  rust() { dpkg-query -W -f='${Version}' rustc-web 2>/dev/null; }
  if dpkg --compare-versions "$(rust)" lt 1.96; then
    echo "setup: rustc-web is $(rust); reading the list of packages anew for 1.96"
    as_root apt-get update -qq </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      rustc-web cargo-web rust-web-src </dev/null >/dev/null
  fi
  if dpkg --compare-versions "$(rust)" lt 1.96; then
    echo "setup: rustc-web is $(rust), and the programs for Windows take 1.96 or newer. Debian has it among its" \
      "security updates: add the suite $(. /etc/os-release && echo "$VERSION_CODENAME")-security to the sources of apt" >&2
    exit 2
  fi
fi

# Where udev does not run, the device that private networks need keeps a mode that shuts ordinary
# accounts out. 0666 is the mode that udev's own rule gives it.
if [ -c /dev/net/tun ] && [ "$(stat -c %a /dev/net/tun)" != 666 ] && [ ! -S /run/udev/control ]; then
  echo "setup: opening /dev/net/tun to every account, as udev's rule does"
  as_root chmod 666 /dev/net/tun
fi

# The validators of other people that the exports are shown to, in a place of their own: by exact versions,
# and anew when these or Python change. CLEANSHIFT_VALIDATORS names another place.
validators() {
  local from place new wanted
  from=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/validators" && pwd)
  place=${CLEANSHIFT_VALIDATORS:-${CARGO_TARGET_DIR:-$from/../../target}/validators}
  wanted=$(cat "$from/requirements.txt" "$from/package-lock.json" <(python3 --version) | sha256sum)
  if [ "$(cat "$place/stamp" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  echo "setup: installing the validators of exports"
  # What is there has no stamp, or an older one: it is made anew, and has its stamp last.
  rm -rf "$place/stamp" "$place/venv" "$place/node_modules"
  mkdir -p "$place"
  python3 -m venv "$place/venv"
  "$place/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$from/requirements.txt"
  cp "$from/package.json" "$from/package-lock.json" "$place/"
  npm ci --prefix "$place" --silent --no-audit --no-fund --ignore-scripts </dev/null
  echo "$wanted" >"$place/stamp"
}
# The certified OpenID provider that the tests and the demo sign in at, in the same way. CLEANSHIFT_PROVIDER names
# another place.
provider() {
  local from place wanted
  from=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/provider" && pwd)
  place=${CLEANSHIFT_PROVIDER:-${CARGO_TARGET_DIR:-$from/../../target}/provider}
  wanted=$(sha256sum <"$from/package-lock.json")
  if [ "$(cat "$place/stamp" 2>/dev/null)" = "$wanted" ]; then
    return
  fi
  echo "setup: installing the OpenID provider of the tests"
  rm -rf "$place/stamp" "$place/node_modules"
  mkdir -p "$place"
  cp "$from/package.json" "$from/package-lock.json" "$place/"
  npm ci --prefix "$place" --silent --no-audit --no-fund --ignore-scripts --omit=dev </dev/null
  echo "$wanted" >"$place/stamp"
}
case "${1:-bench}" in
  test | bench)
    validators
    provider
    ;;
  *) ;;
esac

if ! command -v cargo >/dev/null; then
  echo "setup: cargo is missing: install Rust 1.95 or newer (https://rustup.rs)" >&2
  exit 2
fi
