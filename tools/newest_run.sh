#!/usr/bin/env bash
# Runs a command with the newest TFX, as it would run in the image: tools/newest_run.sh COMMAND…
#
# That is in tools/newest_root.sh's Debian 13, as the image's user, with the image's environment and nothing of the
# caller's, in a copy of this checkout. The folder `shared` beside the checkout and the quickstart's encoder are there
# if they are here.
#
# Exit codes: the command's; 2 this machine can't run it, and the message says why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PERMAFROST_NEWEST_CACHE=$(realpath -m "${PERMAFROST_NEWEST_CACHE:-.cache/newest}")
export PERMAFROST_NEWEST_CACHE
readonly cache=$PERMAFROST_NEWEST_CACHE USER_ID=1000

root=$(tools/newest_root.sh)
# Nobody removes it meanwhile.
exec 9<"$cache/lock"
flock --shared 9

# What a killed run left behind; its mounts are gone with it.
for left in "$cache"/run-*; do
    if [ ! -e "/proc/${left##*-}" ]; then rm -rf --one-file-system "$left"; fi
done
run=$cache/run-$$
trap 'rm -rf --one-file-system "$run"' EXIT
checkout=$run/src/permafrost
mkdir -p "$checkout/.cache/hub" "$run/packages" "$run/home" "$run/tmp"
git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
    tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null | tar -C "$checkout" --no-same-owner -xf -

tools/newest_install.sh "$root" "$checkout:/build" "$run/packages:/opt/permafrost/packages" -- \
    sh -c 'cd /build && install.sh packages'

mounts=("$run/packages:/opt/permafrost/packages:ro" "$run/src:/src" "$run/home:/home/permafrost" "$run/tmp:/tmp")
if [ -d ../shared ]; then mounts+=("$(realpath ../shared):/src/shared:ro"); fi
if [ -d .cache/hub ]; then mounts+=("$(realpath .cache/hub):/src/permafrost/.cache/hub:ro"); fi
chown -R "$USER_ID:$USER_ID" "$run"/{src,home,tmp}

mapfile -t image_environment < <(sed -n 's/^ENV //p' kubeflow/Dockerfile)
tools/newest_chroot.sh "$root" "$USER_ID:$USER_ID" "${mounts[@]}" -- /usr/bin/env -i -C /src/permafrost \
    HOME=/home/permafrost "${image_environment[@]}" PYTHONPATH=/opt/permafrost-tests "$@"
