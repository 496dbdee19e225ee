#!/usr/bin/env bash
# Makes .tools/bench: the dependency group `bench` of pyproject.toml, apart from TFX's environment. `make bench` calls it.
#
# pip, not uv: pip takes a CPU build of PyTorch from wherever it is told to look (PIP_FIND_LINKS,
# PIP_EXTRA_INDEX_URL, pip.conf). Without such a place it takes PyPI's build, which brings gigabytes of CUDA.
#
# Exit codes: 0 it is ready; 2 there is no Python for it; anything else is pip's, whose output is then shown.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly FOLDER=.tools/bench
readonly LOG=.tools/bench-setup.log
readonly STAMP=$FOLDER/.permafrost-setup

# Prints a Python that transformers runs on. A pyenv shim answers only for the version that it is told.
find_python() {
    local version
    for version in 3.11 3.12 3.13; do
        if PYENV_VERSION=$version "python$version" -c 'import ensurepip, venv' 2>/dev/null; then
            PYENV_VERSION=$version "python$version" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    return 1
}

started=$SECONDS
mkdir -p .tools
python=$(find_python) || {
    echo "The comparison with Hugging Face needs Python 3.11, 3.12 or 3.13 with venv, and found none." >&2
    echo "Install one, for instance with: pyenv install 3.11" >&2
    exit 2
}
echo "Setting up $FOLDER (PyTorch, transformers, matplotlib); first time only"
rm -rf "$FOLDER"
{
    "$python" -m venv "$FOLDER" &&
        "$FOLDER/bin/python" -m pip install --quiet --upgrade 'pip>=25.1' && # the first that reads dependency groups
        "$FOLDER/bin/python" -m pip install --quiet --group bench
} >"$LOG" 2>&1 || {
    status=$?
    cat "$LOG" >&2
    echo "Set-up failed; pip's output is above and in $LOG." >&2
    exit "$status"
}
touch "$STAMP"
echo "Set-up took $((SECONDS - started)) s"
