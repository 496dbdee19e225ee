"""Checks of Python and of the packages in it. None imports TensorFlow but those that say so."""

import importlib
import os
import platform
from importlib import metadata

from packaging.specifiers import SpecifierSet

from pipeline.doctor.examination import Finding, ok, problem, warning
from pipeline.doctor.requirements import PACKAGE, conflicts, glibc_needed, installed, requirements_of

_SET_UP = "set the environment up again: make setup"
_SHOWN = ("tfx", "tensorflow", "tf-keras", "tensorflow-text", "tensorflow-hub", "kfp")
_LINES = 8
# As in tools/setup.sh: where TFX 1.21 isn't installed, nothing that is installed says it.
_NEW_LANE_GLIBC = (2, 39)
_VARIABLE = "TF_USE_LEGACY_KERAS"


def check_python(version: str = platform.python_version()) -> Finding:
    """Python, and the TFX that goes with it.

    Args:
        version: Of Python.
    """
    try:
        allowed = metadata.metadata(PACKAGE)["Requires-Python"]
        lanes = [str(each.specifier) for each in requirements_of(PACKAGE) if each.name == "tfx"]
    except metadata.PackageNotFoundError:
        return warning(f"Python {version}; Permafrost is on the path, but not installed", _SET_UP)
    if not SpecifierSet(allowed).contains(version):
        return problem(f"Python {version}; Permafrost needs {allowed}", "choose another: UV_PYTHON=3.10 make setup")
    return ok(f"Python {version}, which goes with TFX {', '.join(lanes)}")


def check_glibc(version: str = platform.libc_ver()[1]) -> Finding:
    """The C library, and what the installed wheels were built for.

    Args:
        version: Of glibc; empty where the C library is another.
    """
    if not version:
        return problem("the C library isn't glibc", "TensorFlow's wheels need a Linux with glibc, such as Debian")
    try:
        needed = glibc_needed()
    except metadata.PackageNotFoundError:
        needed = None
    if needed is None:
        return warning(f"glibc {version}; no installed wheel says which it needs", _SET_UP)
    (major, minor), name = needed
    here = tuple(int(part) for part in version.split(".")[:2])
    if here < (major, minor):
        return problem(
            f"glibc {version}, but {name} was built for {major}.{minor}",
            "use Python 3.10, whose TFX runs on an older glibc (UV_PYTHON=3.10 make setup), or a newer system",
        )
    lanes = "both TFX 1.16 and 1.21" if here >= _NEW_LANE_GLIBC else "TFX 1.16, but not 1.21"
    return ok(f"glibc {version}, enough for {lanes}; the packages here need {major}.{minor}")


def check_versions() -> Finding:
    """Whether the packages fit together, by what they say of each other."""
    versions = ", ".join(f"{name} {installed(name) or 'missing'}" for name in _SHOWN)
    try:
        lines = list(conflicts())
    except metadata.PackageNotFoundError:
        return warning(f"{versions}; Permafrost isn't installed, so nothing says what fits", _SET_UP)
    if lines:
        more = [f"and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
        return problem("; ".join([*lines[:_LINES], *more]), _SET_UP)
    return ok(versions)


def check_legacy_keras() -> Finding:
    """Whether `tf.keras` is Keras 2. Imports TensorFlow."""
    import tensorflow as tf

    package = tf.keras.Model.__module__.partition(".")[0]
    version = importlib.import_module(package).__version__
    if package != "tf_keras":
        return problem(
            f"tf.keras is {package} {version}; {_VARIABLE} is {os.environ.get(_VARIABLE)!r}",
            f"TFX works with Keras 2 only: set {_VARIABLE}=1, or leave it unset",
        )
    return ok(f"tf.keras is {package} {version}")


def check_text_ops() -> Finding:
    """Whether tensorflow-text's operations run in this TensorFlow. Imports TensorFlow."""
    try:
        import tensorflow_text as tf_text

        words = tf_text.WhitespaceTokenizer().tokenize(["two words"]).to_list()
    except Exception as error:
        reason = " ".join(str(error).split())
        return problem(
            f"tensorflow-text {installed('tensorflow-text')} doesn't load with TensorFlow {installed('tensorflow')}: "
            f"{reason}",
            f"it must be of TensorFlow's own minor version; {_SET_UP}",
        )
    if words != [[b"two", b"words"]]:
        return problem(f"tensorflow-text splits 'two words' into {words}", _SET_UP)
    return ok("its operations run")
