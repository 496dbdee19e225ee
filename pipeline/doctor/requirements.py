"""What the installed packages say that they need of each other."""

import functools
import re
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "permafrost"


def requirements_of(name: str, extras: frozenset[str] = frozenset()) -> list[Requirement]:
    """What an installed distribution requires on this Python and system.

    Raises:
        PackageNotFoundError: It isn't installed.
    """
    wanted = []
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments):
            wanted.append(requirement)
    return wanted


@functools.cache
def all_required() -> tuple[tuple[str, Requirement], ...]:
    """Every requirement that Permafrost leads to, with the name of who has it.

    What Permafrost itself requires counts for all: its tensorflow-hub is on purpose not the one that TFX asks for.
    """
    own = {canonicalize_name(requirement.name) for requirement in requirements_of(PACKAGE)}
    found: list[tuple[str, Requirement]] = []
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(PACKAGE, frozenset())]
    while waiting:
        who, extras = waiting.pop(0)
        if (who, extras) in seen:
            continue
        seen.add((who, extras))
        for requirement in requirements_of(who, extras):
            name = canonicalize_name(requirement.name)
            if who == PACKAGE or name not in own:
                found.append((who, requirement))
            if installed(name) is not None:
                waiting.append((name, frozenset(requirement.extras)))
    return tuple(found)


def conflicts() -> Iterator[str]:
    """A line for each requirement that isn't met."""
    told = set()
    for who, requirement in all_required():
        version = installed(requirement.name)
        if version is None:
            line = f"{requirement.name} is missing, which {who} needs"
        elif not requirement.specifier.contains(version, prereleases=True):
            line = f"{requirement.name} is {version}, but {who} needs {requirement.specifier}"
        else:
            continue
        if line not in told:
            told.add(line)
            yield line


def installed(name: str) -> str | None:
    """The version of a distribution; None where it isn't installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def glibc_needed() -> tuple[tuple[int, int], str] | None:
    """The newest glibc that an installed wheel was built for, and whose that is; None where no wheel says."""
    needed = []
    for name in sorted({canonicalize_name(requirement.name) for _, requirement in all_required()}):
        if installed(name) is not None:
            tags = _manylinux(metadata.distribution(name).read_text("WHEEL") or "")
            # A wheel with several tags runs where one of them does.
            needed += [(min(tags), name)] if tags else []
    return max(needed, default=None)


# What the tags were called before they said the glibc themselves (PEP 600).
_OLD_TAGS = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


def _manylinux(wheel: str) -> list[tuple[int, int]]:
    versions = [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)_", wheel)]
    return versions + [glibc for tag, glibc in _OLD_TAGS.items() if f"{tag}_" in wheel]
