#!/usr/bin/env bash
# Runs a command in the system that lies in a folder: tools/newest_chroot.sh ROOT USER [FROM:TO[:ro] …] -- COMMAND…
#
# FROM, a file or a folder of this system, is seen at TO in there. What is mounted and started belongs to namespaces
# of their own and ends with the command, or with whoever called this: nothing stays mounted under ROOT.
# The environment is the caller's.
set -euo pipefail

if [ "${1:-}" != --in-namespace ]; then
    exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --propagation private "${BASH_SOURCE[0]}" --in-namespace "$@"
fi
shift
root=$1 user=$2
shift 2

# Makes $2 what $1 is, a file or a folder, so that it can be mounted over.
make_mount_point() {
    if [ -d "$1" ]; then
        mkdir -p "$2"
    elif [ ! -e "$2" ]; then
        mkdir -p "$(dirname "$2")"
        : >"$2"
    fi
}

bind() {
    local from=$1 to=$root$2 how=${3:-}
    make_mount_point "$from" "$to"
    mount --bind "$from" "$to"
    if [ "$how" = ro ]; then mount -o remount,bind,ro "$to"; fi
}

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
bind /sys /sys ro
bind /etc/resolv.conf /etc/resolv.conf ro
bind /etc/hosts /etc/hosts ro
while [ "$1" != -- ]; do
    IFS=: read -r from to how <<<"$1"
    bind "$from" "$to" "$how"
    shift
done
shift

# Not exec: a shell as the first process of its namespace collects what others leave behind.
status=0
chroot --userspec="$user" "$root" "$@" || status=$?
exit "$status"
