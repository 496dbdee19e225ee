#!/usr/bin/env bash
# Makes .venv from uv.lock. `make` calls this when .venv is missing or older than what it is made from.
#
# Which Python: $PERMAFROST_PYTHON, else $UV_PYTHON (a version or a path), else the one that the present
# .venv was asked to have, else .python-version. The Python decides the TFX: see lane_of.
#
# Exit codes: 0 .venv is ready; 2 this machine can't hold it, and the message says what to do;
# anything else is uv's, whose output is then shown.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

readonly STAMP=.venv/.permafrost-setup
readonly PRIVATE_UV=.tools/uv
readonly LOG=.tools/setup.log
readonly UV_OLDEST=0.7.0                # reads the lock file and knows dependency groups
readonly UV_REQUIREMENT='uv>=0.13.9,<0.14' # what is installed when there is none; 0.13.9 wrote the lock file
readonly NEW_LANE_GLIBC=2.39            # what the wheels of TFX 1.21's dependencies were built for

export UV_PYTHON_DOWNLOADS=never
export UV_PROJECT_ENVIRONMENT="$root/.venv" # where the Makefile looks for it, whatever the shell has set
# Trust what this system trusts, as git and curl do: a company's registry may have a certificate of its own.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
export UV_NATIVE_TLS="$UV_SYSTEM_CERTS" # its older name
unset VIRTUAL_ENV

# Prints each argument on a line of its own and gives up.
refuse() {
    printf '%s\n' "$@" >&2
    exit 2
}

# Whether version $1 is at least version $2.
at_least() {
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# The TFX release that uv.lock has for Python $1 (major.minor); fails when it has none.
lane_of() {
    case $1 in
        3.10) echo 1.16 ;;
        3.11 | 3.12 | 3.13) echo 1.21 ;;
        *) return 1 ;;
    esac
}

usable_uv() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    version=${version#uv }
    at_least "${version%% *}" "$UV_OLDEST"
}

install_private_uv() {
    local candidate python=''
    for candidate in python3 /usr/bin/python3 python3.10 python3.11 python3.12 python3.13; do
        # A pyenv shim may be on the PATH and still have no Python behind it.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || refuse "Set-up needs uv or a Python (3.8 or newer) to install uv with, and found neither." \
        "Install Python $(<.python-version), for instance with: pyenv install $(<.python-version)"

    rm -rf "$PRIVATE_UV"
    if "$python" -m venv "$PRIVATE_UV" >"$LOG" 2>&1; then
        "$PRIVATE_UV/bin/python" -m pip install --quiet "$UV_REQUIREMENT" >>"$LOG" 2>&1 && return
    else # Debian's own Python has no venv without python3-venv
        rm -rf "$PRIVATE_UV"
        "$python" -m pip install --quiet --no-user --target "$PRIVATE_UV" "$UV_REQUIREMENT" >>"$LOG" 2>&1 && return
    fi
    rm -rf "$PRIVATE_UV"
    cat "$LOG" >&2
    refuse "uv could not be installed into $PRIVATE_UV (the output is above)." \
        "Install uv yourself and put it on the PATH, then call make again."
}

# uv from the PATH, else the private one, which is installed when it isn't there yet.
choose_uv() {
    if usable_uv uv; then
        uv=uv
        return
    fi
    uv=$PRIVATE_UV/bin/uv
    usable_uv "$uv" || install_private_uv
}

# Prints the path of the Python that answers to request $1.
find_python() {
    local -a env=(env -u UV_PYTHON)
    # Lets pyenv's shims answer for this version, not only for the one of .python-version.
    case $1 in [0-9]*) env+=("PYENV_VERSION=$1") ;; esac
    "${env[@]}" "$uv" python find --system "$1" 2>>"$LOG"
}

# Prints the newest Python of the TFX 1.21 lane that this machine has.
newer_python_here() {
    local version
    for version in 3.13 3.12 3.11; do
        if find_python "$version" >/dev/null; then
            echo "$version"
            return
        fi
    done
    return 1
}

refuse_missing_python() {
    local -a message=("Permafrost needs a Python that isn't here: uv found none for '$request'.")
    local other
    if [ "$request" = 3.10 ] || ! at_least "$glibc" "$NEW_LANE_GLIBC"; then
        message+=("Install Python 3.10 (TFX 1.16), for instance with: pyenv install 3.10")
    else
        message+=("Install it, or use Python 3.10 (TFX 1.16).")
    fi
    if at_least "$glibc" "$NEW_LANE_GLIBC" && other=$(newer_python_here); then
        message+=("Or use the Python $other (TFX 1.21) that is here, glibc $glibc allows it: export UV_PYTHON=$other")
    elif [ "$request" != 3.10 ]; then
        message+=("Then choose it with: export UV_PYTHON=3.10")
    fi
    refuse "${message[@]}" "Then call make again."
}

started=$SECONDS
mkdir -p .tools
: >"$LOG"

glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || refuse "Permafrost needs Linux with glibc: TensorFlow and TFX have wheels for nothing else here."
glibc=${glibc#glibc }

wish=${PERMAFROST_PYTHON:-${UV_PYTHON:-}}
if [ -z "$wish" ] && [ -f "$STAMP" ]; then wish=$(<"$STAMP"); fi
request=${wish:-$(<.python-version)}

choose_uv
python=$(find_python "$request") || refuse_missing_python
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
tfx=$(lane_of "$version") || refuse "There is no TFX for Python $version ($python)." \
    "Use Python 3.10 (TFX 1.16), or 3.11 to 3.13 (TFX 1.21) where glibc is $NEW_LANE_GLIBC or newer; this system has glibc $glibc." \
    "Choose it with: export UV_PYTHON=3.10"
if [ "$tfx" = 1.21 ] && ! at_least "$glibc" "$NEW_LANE_GLIBC"; then
    refuse "Python $version means TFX 1.21, whose wheels need glibc $NEW_LANE_GLIBC or newer; this system has glibc $glibc." \
        "Use Python 3.10 (TFX 1.16), which runs on any glibc: export UV_PYTHON=3.10" \
        "Then call make again."
fi

if [ -d .venv ]; then
    echo "Bringing .venv up to date (Python $version, TFX $tfx)"
else
    echo "Setting up .venv (Python $version, TFX $tfx); first time only"
fi
rm -f "$STAMP"
status=0
"$uv" sync --frozen --extra minilm --python "$python" >"$LOG" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
    cat "$LOG" >&2
    if grep -qi pyfarmhash "$LOG"; then
        echo "pyfarmhash is compiled here: that takes a C++ compiler and the headers of Python $version (Debian: g++, python3-dev)." >&2
    fi
    echo "Set-up failed; uv's output is above and in $LOG." >&2
    exit "$status"
fi
# Compiles the modules that a run imports, so that not the first run has to.
PYTHONDONTWRITEBYTECODE='' .venv/bin/python -c "import pipeline.runners.local, pipeline.cli.result_view" >>"$LOG" 2>&1 || {
    cat "$LOG" >&2
    echo "Set-up failed: TFX can't be imported; the output is above and in $LOG." >&2
    exit 1
}
printf '%s\n' "$wish" >"$STAMP"
echo "Set-up took $((SECONDS - started)) s"
