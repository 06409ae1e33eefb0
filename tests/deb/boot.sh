#!/bin/bash
# Boots the systemd of a root file system in which the package is installed, with the kiosk enabled, and takes the
# package there through what its maintainer scripts do while the station runs: an upgrade that waits for an open
# session, is refused by one, or ends it; one that fails half-way; and the removal. A virtual badge opens the session,
# so the shell is started with --demo and without the doctor's gate; all else is as the package has it. The tree is
# left as it was.
#
# Use, as root: tests/deb/boot.sh TREE DIRECTORY-OF-PACKAGES VERSION      Exit code 0: all held.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/world.sh" 2>/dev/null || . "$here/../kiosk/world.sh"

if [ "${STAGE:-}" = "" ]; then
  world 540 "$here/boot.sh" "$(realpath "$1")" "$(realpath "$2")" "$3"
fi

if [ "$STAGE" = root ]; then
  furnish "$1"
  cp "$here/../../policies/demo.toml" "$PLACE/out/policy.toml"
  cp "$2"/*.deb "$here/boot.sh" "$here/../kiosk/world.sh" "$PLACE/out/"
  mkdir -p "$PLACE/root/etc/systemd/system/cleanshift.service.d"
  printf '%s\n' '[Service]' 'Environment=CLEANSHIFT_LOG=info' 'ExecStartPre=' \
    'ExecStartPre=/usr/bin/cleanshiftctl kiosk wait' 'ExecStart=' \
    'ExecStart=/usr/bin/cleanshift --demo --policy /etc/cleanshift/policy.toml --state /var/lib/cleanshift' \
    >"$PLACE/root/etc/systemd/system/cleanshift.service.d/badges.conf"
  enter
  systemd-machine-id-setup >/dev/null
  cleanshiftctl --policy /mnt/out/policy.toml kiosk enable --anyway
  cp /mnt/out/dummy.conf /etc/X11/xorg.conf.d/99-dummy.conf
  start bash /mnt/out/boot.sh - - "$3"
fi

# Inside.
new=/mnt/out/cleanshift_${3}_$(dpkg --print-architecture).deb
older=/mnt/out/cleanshift_0.0.1.deb
said=/mnt/out/said
export DEBIAN_FRONTEND=noninteractive DISPLAY=:0 XAUTHORITY=/run/cleanshift-display/cookie

journal() { journalctl --no-pager -u cleanshift -o cat; }
mark() { mark=$(journal | wc -l); }
was() { journal | tail -n "+$((mark + 1))" | grep -qF "station: $1"; }
comes() { until_holds was "$1"; }
open_() { grep -q 'not vacant: a session was open' <(cleanshiftctl vacant); }
vacant() { cleanshiftctl vacant >/dev/null; }
whole() { cleanshiftctl log verify >/dev/null; }
version() { dpkg-query -W -f '${Status} ${Version}' cleanshift; }
says() { grep -qF -- "$1" "$said"; }
lay() { # A badge on the reader of vsmartcard-vpcd, until it is taken away.
  perl -MIO::Socket::INET -e '
    my $uid = pack "H*", "04A1B2C3";
    my $card;
    for (1 .. 100) { last if $card = IO::Socket::INET->new(PeerAddr => "127.0.0.1:35963"); select undef, undef, undef, 0.1 }
    $card or die "no reader: $!";
    binmode $card;
    sub take { my $bytes = ""; while (length $bytes < $_[0]) { $card->sysread($bytes, $_[0] - length $bytes, length $bytes) or exit } $bytes }
    sub give { $card->syswrite(pack "n/a", $_[0]) }
    while (1) {
      my $asked = take(unpack "n", take(2));
      if ($asked eq "\4") { give(pack "H*", "3b8f8001804f0ca000000306030001000000006a") }
      elsif (length $asked == 1) {}
      elsif ($asked =~ /^\xff\xca\0\0/s) { give($uid . "\x90\0") }
      else { give("\x6d\0") }
    }' &
  card=$!
}
number() { grep -q '04 A1 B2 C3 90 00' <(scriptor <<<'FF CA 00 00 00' 2>&1); }
# Gone for the card service too, which asks its reader a few times a second: one laid before that would be taken for the
# one that was there.
absent() { ! number && sleep 1 && ! number; }
types() { xdotool type --delay 40 "$1" && xdotool key Return; }
tap() { mark; lay; comes 'challenge, PIN'; }
opens() { mark; types 482915; comes attended; }
# ended N TRIGGER: so many of her sessions have ended because of that, each with a receipt.
ended() { cleanshiftctl log list --json >/mnt/out/log.json && [ "$(grep 'Ana Ruiz' /mnt/out/log.json | grep -cE "\"trigger\": ?\"$2\"")" = "$1" ]; }
gone() { [ "$(systemctl is-active "$1" 2>/dev/null)" != active ]; }

for _ in $(seq 40); do [ -S /run/systemd/private ] && break; sleep 0.25; done
holds "the packaged station starts" until_is cleanshift active
mark=0
holds "and is vacant" comes 'vacant, ready'
# How IT learns a badge's number.
lay
holds "scriptor tells a badge's number" until_holds number
kill $card
holds "scriptor tells that it has gone" until_holds absent
one_time=$(cleanshiftctl roster add ana.ruiz --name "Ana Ruiz" --role nurse --badge 04A1B2C3 --json |
  sed -n 's/.*"one_time_pin": "\([0-9]*\)".*/\1/p')
holds "a badge is seen by the account" tap
mark; types "$one_time"
holds "her one-time PIN is right" comes 'challenge, new PIN'
mark; types 482915
holds "she chooses a PIN" comes 'challenge, new PIN again'
mark; types 482915
holds "her session opens" comes attended
holds "the session counts" open_
shell=$(pid cleanshift)

# Refused, where it may not wait.
CLEANSHIFT_UPGRADE_WAIT=1 dpkg -i "$new" >"$said" 2>&1 && refused=no || refused=yes
holds "an upgrade that may not wait is refused" [ $refused = yes ]
holds "and says why" says 'somebody works at the station'
holds "nothing was changed" [ "$(version)" = 'install ok installed 0.0.1' ]
holds "her session goes on" open_
holds "in the same shell" [ "$(pid cleanshift)" = "$shell" ]

# Waits, and goes on once she has gone.
CLEANSHIFT_UPGRADE_WAIT=120 dpkg -i "$new" >"$said" 2>&1 &
upgrade=$!
holds "an upgrade waits" until_holds says 'waiting up to 120 s'
sleep 3
holds "for as long as she works" kill -0 $upgrade
holds "and she does" open_
kill $card
wait $upgrade && done=yes || { done=no; cat "$said"; }
holds "it goes on once she has gone" [ $done = yes ]
holds "the version is new" [ "$(version)" = "install ok installed $3" ]
holds "the station is back" until_is cleanshift active
holds "as another shell" [ "$(pid cleanshift)" != "$shell" ]
holds "the ledger is whole" whole
holds "her badge's going has ended her session" ended 1 badge-out
holds "no upgrade has" ended 0 maintenance

# Forced.
holds "the station is vacant again" until_holds was 'vacant, ready'
holds "her badge is seen again" tap
holds "her own PIN opens" opens
CLEANSHIFT_UPGRADE=now dpkg -i "$older" >"$said" 2>&1 && done=yes || { done=no; cat "$said"; }
holds "an older version of the same store may be put over it, by force during a session" [ $done = yes ]
holds "the version is the older" [ "$(version)" = 'install ok installed 0.0.1' ]
kill $card
holds "the station is back again" until_is cleanshift active
holds "and vacant" until_holds vacant
holds "her session ended as a handoff, with a receipt" ended 1 maintenance
holds "and not by her badge" ended 1 badge-out
holds "the receipt says where the pepper is" grep -qE '"file of this account \(0600\), apart from the database"[^}]*"pepper"' /mnt/out/log.json
holds "the ledger is whole after it" whole

# Fails half-way.
dpkg-deb -R "$older" /mnt/out/broken
sed -i 's/^Version: .*/Version: 0.0.2/' /mnt/out/broken/DEBIAN/control
printf '#!/bin/sh\nexit 1\n' >/mnt/out/broken/DEBIAN/preinst
dpkg-deb --root-owner-group -Zgzip -z1 -b /mnt/out/broken /mnt/out/broken.deb >/dev/null
mark
shell=$(pid cleanshift)
dpkg -i /mnt/out/broken.deb >"$said" 2>&1 && refused=no || refused=yes
holds "an upgrade that fails is told" [ $refused = yes ]
holds "the station is back after it" comes 'vacant, ready'
holds "it was stopped for it" [ "$(pid cleanshift)" != "$shell" ]
holds "with what was there before" [ "$(version)" = 'install ok installed 0.0.1' ]

# Out of service: an upgrade may be what mends it.
printf '[Service]\nExecStartPre=/bin/false\n' >/etc/systemd/system/cleanshift.service.d/unfit.conf
systemctl daemon-reload
systemctl restart cleanshift 2>/dev/null || true
holds "a shell that does not stay up is out of service" until_is cleanshift-out-of-service active
rm /etc/systemd/system/cleanshift.service.d/unfit.conf
dpkg -i "$new" >"$said" 2>&1 || cat "$said"
holds "an upgrade tries it anew" until_is cleanshift active
holds "the ledger is whole then" whole

# Removed.
apt-get remove -y cleanshift >"$said" 2>&1 && done=yes || { done=no; cat "$said"; }
holds "it is removed" [ $done = yes ]
for unit in cleanshift cleanshift-display cleanshift-out-of-service cleanshift-looker.socket; do
  holds "$unit does not run" gone $unit
done
holds "no process of the account is left" [ -z "$(ps -u cleanshift -o pid= | tr -d ' \n')" ]
find /etc -name '*cleanshift*' ! -path '/etc/cleanshift*' ! -path '*/cleanshift.service.d*' ! -name '*-' >"$said"
holds "the machine starts as before" [ ! -s "$said" ]
holds "the record of what was replaced is gone" [ ! -e /var/lib/cleanshift-kiosk ]
ends
