# shellcheck shell=bash
# Sourced by every script of ccgpu in the guest: strictness, the settings, and a few verbs.
# CCGPU_ROOT is a folder to work on instead of `/`; only tests set it.
set -euo pipefail
shopt -s lastpipe # so that `x | put` can set CHANGED
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

ROOT=${CCGPU_ROOT:-}
STATE=$ROOT/var/lib/ccgpu
# shellcheck source=/dev/null
. "$ROOT/etc/ccgpu/guest.env"

# A step ends by one of these, or by the exit code of the command that failed.
die() {
  printf '%s\n' "$*" >&2
  exit 1
}
skip() {
  printf '%s\n' "$*"
  exit 77
}

# put PATH [MODE]: what is read becomes the file, in one go. CHANGED says whether it differed.
CHANGED=
put() {
  local file=$ROOT$1 new
  CHANGED=
  [[ -d ${file%/*} ]] || mkdir -p "${file%/*}"
  new=$(mktemp "${file%/*}/.ccgpu.XXXXXX")
  cat >"$new"
  chmod "${2:-0644}" "$new"
  if [[ -e $file ]] && cmp -s "$new" "$file"; then
    rm -f "$new"
  else
    sync "$new"
    mv -f "$new" "$file"
    CHANGED=1
  fi
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails after that many seconds.
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < until)) || return 1
    sleep 1
  done
}

# apt-get and apt-cache; of the day that the settings name, if they name one.
of_the_day=()
[[ -z $CCGPU_APT_SNAPSHOT ]] || of_the_day=(-o "APT::Snapshot=$CCGPU_APT_SNAPSHOT")
apt_get() {
  apt-get -y -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=30 \
    -o Acquire::https::Timeout=30 -o APT::Update::Error-Mode=any \
    -o APT::Get::Always-Include-Phased-Updates=true -o Dpkg::Options::=--force-confold "${of_the_day[@]}" "$@" </dev/null
}
# Downgrades are for what is pinned: a driver that somebody has upgraded comes back.
add() {
  apt_get install --allow-change-held-packages --allow-downgrades "$@"
}

# pinned PACKAGE PATTERN: PACKAGE=VERSION as the pins choose it; the version must match.
pinned() {
  local found
  found=$(apt-cache "${of_the_day[@]}" policy "$1" | sed -n 's/^  Candidate: //p')
  # shellcheck disable=SC2053
  [[ $found == $2 ]] || die "no $1 $2 in the archive: found ${found:-none}"
  printf '%s=%s\n' "$1" "$found"
}

# What decides which kernel boots, and what it measures. nullboot brings the shim of these images.
# shellcheck disable=SC2034
KERNEL_PACKAGES='^linux-(azure|image|modules|headers|tools|cloud-tools|objects|signatures|main-modules)|^nullboot$|^shim'

# version_of PACKAGE: the installed version; nothing if it is not installed.
version_of() {
  local found
  found=$(dpkg-query -W -f='${db:Status-Status} ${Version}' "$1" 2>/dev/null) || return 0
  [[ $found != 'installed '* ]] || printf '%s\n' "${found#installed }"
}

# hold PATTERN: no upgrade may touch the installed packages whose names match; drift looks for them.
hold() {
  local names
  names=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' |
    sed -n 's/^installed //p' | grep -E -- "$1" | sort -u) || return 0
  xargs apt-mark hold <<<"$names" >/dev/null
  { cat "$STATE/holds" 2>/dev/null || true; printf '%s\n' "$names"; } | sort -u | put /var/lib/ccgpu/holds
}

# The fingerprints of the primary keys in what is read.
primary_keys() {
  local home
  home=$(mktemp -d)
  gpg --homedir "$home" --batch --show-keys --with-colons 2>/dev/null |
    awk -F: '$1 == "pub" { primary = 1 } $1 == "fpr" && primary { print $10; primary = 0 }' || true
  rm -rf "$home"
}

# repository NAME URL KEY-URL FINGERPRINT: a flat package source, signed by that one key.
repository() {
  local name=$1 key found no_snapshot=
  [[ -z $CCGPU_APT_SNAPSHOT ]] || no_snapshot='snapshot=no '
  if [[ ! -s $ROOT/etc/apt/keyrings/$name.asc ]]; then
    key=$(curl -fsSL --proto =https --retry 3 --connect-timeout 30 --max-time 120 "$3") ||
      die "cannot fetch the key of $name: $3"
    found=$(primary_keys <<<"$key")
    [[ $found == "$4" ]] || die "the key of $name is ${found:-none}, not $4"
    put "/etc/apt/keyrings/$name.asc" <<<"$key"
  fi
  put "/etc/apt/sources.list.d/$name.list" \
    <<<"deb [arch=amd64 ${no_snapshot}signed-by=/etc/apt/keyrings/$name.asc] $2 /"
  [[ -z $CHANGED ]] || apt_get update || {
    local status=$?
    rm -f "$ROOT/etc/apt/sources.list.d/$name.list" # else the next run would not update
    exit "$status"
  }
}

# The version of the loaded kernel module, in `... Kernel Module for x86_64  595.71.05  Release ...`.
loaded_module() {
  sed -n 's/^NVRM version:.*Module.* \([0-9][0-9.]*\)  .*/\1/p' "$ROOT/proc/driver/nvidia/version" \
    2>/dev/null || true
}

# What is read, on one line: some programs say the reason first, some last.
joined() { { grep -v '^[[:space:]]*$' || true; } | paste -sd ' ' | cut -c -500; }

# says PATTERN COMMAND...: the command succeeds, and a line of its output is this.
says() {
  local line=$1 output
  shift
  output=$("$@" 2>&1) || die "$* failed: $(joined <<<"$output")"
  grep -qxE -- "$line" <<<"$output" || die "$*: want $line, found $(joined <<<"$output")"
}
