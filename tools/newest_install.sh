#!/usr/bin/env bash
# What RUN is in a Dockerfile: tools/newest_install.sh ROOT [FROM:TO[:ro] …] -- COMMAND… runs a command as root in ROOT.
#
# It has uv, and reaches the registries as this machine does: by the same variables, certificates and configuration
# files, which are mounted and never copied. Nothing else of this machine's environment is seen in there.
#
# Exit codes: the command's; 2 there is no uv.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(realpath -m "${PERMAFROST_NEWEST_CACHE:-$here/../.cache/newest}")
root=$1
shift
to_command=1 # how many arguments there are up to `--`
while [ "${!to_command}" != -- ]; do to_command=$((to_command + 1)); done

readonly HANDED_VARIABLES='^(UV_.*|(SSL_CERT|REQUESTS_CA|CURL_CA)_.*|(https?|all|no)_proxy|(HTTPS?|ALL|NO)_PROXY)$'
readonly HANDED_FILES=(/etc/ssl/certs /etc/uv "$HOME/.config/uv" "$HOME/.netrc")

find_uv() {
    local name
    for name in "$(command -v uv || true)" "$here/../.tools/uv/bin/uv"; do
        # Not a shim, which needs what lies around it.
        if [ -x "$name" ] && head -c 4 "$(realpath "$name")" | grep -q ELF; then
            realpath "$name"
            return
        fi
    done
    return 1
}

uv=$(find_uv) || {
    echo "The root folder is filled by uv, which isn't here. Call: make setup" >&2
    exit 2
}
mkdir -p "$cache/uv"
apt_conf=$(mktemp)
trap 'rm -f "$apt_conf"' EXIT
{ apt-config dump 2>/dev/null | grep '^Acquire::' || true; } >"$apt_conf"

mounts=("$uv:/usr/local/bin/uv:ro" "$apt_conf:/etc/apt/apt.conf.d/99this-machine:ro" "$cache/uv:/var/cache/uv")
for file in "${HANDED_FILES[@]}"; do
    # What is in the home folder there is in root's here.
    if [ -e "$file" ]; then mounts+=("$file:${file/#"$HOME"//root}:ro"); fi
done

while read -r name; do
    if [[ ! $name =~ $HANDED_VARIABLES ]]; then unset "$name"; fi
done < <(compgen -e | grep -vxE 'HOME|PATH')
unset UV_PYTHON UV_PROJECT_ENVIRONMENT
# Trust what this system trusts, as git and curl do: a company's registry may have a certificate of its own.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
# The variables go by way of the environment, not as arguments, which anybody on this machine could read.
"$here/newest_chroot.sh" "$root" 0:0 "${mounts[@]}" "${@:1:to_command}" /usr/bin/env \
    HOME=/root PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin LC_ALL=C.UTF-8 \
    UV_CACHE_DIR=/var/cache/uv "${@:to_command+1}"
