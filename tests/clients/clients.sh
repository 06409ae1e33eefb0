# What an admin does in a session, with real clients, and what is there of it before and afterwards.
#
# Use: clients.sh SHARED SSH_PORT SSH_ACCOUNT DATABASE_PORT GIT_PORT
shared=$1 ssh=$2 account=$3 database=$4 git=$5
export GIT_TERMINAL_PROMPT=0 PGAPPNAME=console PGCONNECT_TIMEOUT=10
control=$HOME/.ssh/control
secret=$(cat "$shared/secret")

seen() {
  what=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "$what: yes"; else echo "$what: no"; fi
}

# Signs without being asked for the passphrase.
sign() {
  echo order | gpg -q --batch --no-autostart --pinentry-mode error --sign
}

look() {
  seen "ssh master" ssh -o "ControlPath=$control" -O check -p "$ssh" "$account@127.0.0.1"
  seen "ssh key" ssh-add -l
  seen "database password" psql -w -h 127.0.0.1 -p "$database" -U nurse -d postgres -c 'select 1'
  seen "git credential" git ls-remote "http://127.0.0.1:$git/chart.git"
  seen "gpg passphrase" sign
  seen "file" grep -rq "$secret" "$HOME"
}

work() {
  mkdir -p -m 700 "$HOME/.ssh"
  cp "$HOME/station-key" "$HOME/.ssh/key"
  chmod 600 "$HOME/.ssh/key"
  ssh-agent -a "$SSH_AUTH_SOCK"
  ssh-add -q "$HOME/.ssh/key"
  ssh -f -N -M -o "ControlPath=$control" -o ControlPersist=3600 -o StrictHostKeyChecking=accept-new \
    -o BatchMode=yes -p "$ssh" "$account@127.0.0.1"
  (umask 077 && echo "127.0.0.1:$database:*:nurse:$secret" >"$HOME/.pgpass")
  sleep 3600 | psql -w -h 127.0.0.1 -p "$database" -U nurse -d postgres &
  git config --global credential.helper 'cache --timeout 3600'
  printf 'protocol=http\nhost=127.0.0.1:%s\nusername=nurse\npassword=%s\n\n' "$git" "$secret" |
    git credential approve
  gpg -q --batch --pinentry-mode loopback --passphrase "$secret" --quick-gen-key nurse ed25519 sign never
  echo order | gpg -q --batch --pinentry-mode loopback --passphrase "$secret" --sign >/dev/null
}

look >"$shared/before"
work >"$shared/work" 2>&1
look >"$shared/after"
touch "$shared/done"
wait
