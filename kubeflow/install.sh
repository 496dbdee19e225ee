#!/usr/bin/env bash
# Puts TFX and Permafrost onto Debian 13. kubeflow/Dockerfile calls it, and so does tools/newest_root.sh, which makes
# the same system without Docker to run the tests in: what is tested is what ships.
#
#   install.sh compiler       the C++ compiler, for the one dependency that has no wheel
#   install.sh dependencies   uv.lock's packages into /opt/permafrost/venv
#   install.sh packages       Permafrost itself into /opt/permafrost/packages, which the environment has on its path
#   install.sh user           the user that all runs as
#
# `dependencies` and `packages` read the project in the working directory and need uv. $EXTRAS names more of
# pyproject.toml's extras (cuda); $PYTHON the interpreter, if it isn't python3.
set -euo pipefail

readonly HOME_FOLDER=/opt/permafrost
readonly VENV=$HOME_FOLDER/venv
# Apart from the dependencies, so that a change of the code leaves their layer, gigabytes, as it is.
readonly PACKAGES=$HOME_FOLDER/packages
readonly USER_ID=1000 # Dockerfile's USER

export UV_PROJECT_ENVIRONMENT=$VENV
export UV_PYTHON_DOWNLOADS=never
export UV_LINK_MODE=copy
# Nobody could write it later, and without it every step spends half a minute on it.
export UV_COMPILE_BYTECODE=1

install_compiler() {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends g++ "$@" >/dev/null
    rm -rf /var/lib/apt/lists/*
}

install_dependencies() {
    local extra site
    local -a extras=()
    for extra in ${EXTRAS:-}; do extras+=(--extra "$extra"); done
    # Seeded with pip: Beam's boot installs what a job stages by it.
    uv venv --quiet --seed --python "${PYTHON:-python3}" "$VENV"
    uv sync --quiet --frozen --inexact --no-dev --no-install-project "${extras[@]}"
    site=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "$PACKAGES" >"$site/permafrost.pth"
    rm -f "$VENV/.lock" # uv leaves it writable for everybody
    ln -s "$PACKAGES/bin/permafrost" "$VENV/bin/permafrost"
}

install_packages() {
    uv pip install --quiet --no-deps --python "$VENV/bin/python" --target "$PACKAGES" .
    rm -f "$PACKAGES/.lock" # uv leaves it writable for everybody
}

add_user() {
    useradd --create-home --uid "$USER_ID" --user-group --shell /usr/sbin/nologin permafrost
}

step=${1:-}
shift || true
case $step in
    compiler) install_compiler "$@" ;;
    dependencies) install_dependencies ;;
    packages) install_packages ;;
    user) add_user ;;
    *)
        sed -n 's/^# \{0,1\}//; 2,12p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac
