#!/usr/bin/env bash
# Installs and tests this commit on another Debian release, in a temporary root tree. Needs root.
# usage: hpc/matrix/run.sh SUITE [COMMAND]     SUITE: bookworm, trixie, sid ...; COMMAND replaces the tests
set -euo pipefail
suite=${1:?usage: hpc/matrix/run.sh SUITE [COMMAND]}
command=${2:-"make suite mpi"}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v mmdebstrap >/dev/null || { echo "matrix: mmdebstrap is missing: apt-get install mmdebstrap" >&2 && exit 11; }
[ "$(id -u)" = 0 ] || { echo "matrix: must run as root" >&2 && exit 12; }

# The Debian archive that apt uses on this machine.
# shellcheck disable=SC2016
site=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
  awk '$1 == "main" && !/security/ { print $2; exit }')
[ -n "$site" ] || { echo "matrix: apt has no Debian archive; run apt-get update" >&2 && exit 14; }

root=$(mktemp -d "${TMPDIR:-/tmp}/rfablate-$suite.XXXXXX")
chmod 755 "$root"
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM HUP

echo "matrix $suite: creating the root tree"
# Archive snapshots may have expired; those of sid expire soon.
mmdebstrap --quiet --variant=apt --include=ca-certificates,git,make \
  --aptopt='Acquire::Check-Valid-Until "false"' "$suite" "$root" "$site"
git clone -q . "$root/root/rfablate"
# Use the network and package settings of this machine in the root tree.
for setting in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt "$HOME/.config/pip"; do
  [ -e "$setting" ] || continue
  mkdir -p "$root$(dirname "$setting")"
  cp -rL --remove-destination "$setting" "$root$(dirname "$setting")/"
done
mapfile -t settings < <(env | grep -E '^(PIP_|http_proxy|https_proxy|no_proxy|SSL_CERT)')

inside() { # inside COMMAND: run in the clone in the root tree, in separate namespaces that end its mounts and children
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -c '
    mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys" &&
    exec chroot "$0" /usr/bin/env -i "$@"' "$root" \
    HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${settings[@]}" \
    OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    bash -c "cd /root/rfablate && $1"
}

echo "matrix $suite: installing"
inside ./install.sh
inside '.venv/bin/python -m rfablate.cli.doctor' || true
echo "matrix $suite: $command"
result=passed
inside "$command" || result=FAILED
echo "matrix $suite: $result, $SECONDS s"
[ $result = passed ]
