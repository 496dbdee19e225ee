"""From the paths a user writes in `data.train` and `data.eval` to patterns relative to one base folder."""

import difflib
import errno
import glob
import os

import tensorflow as tf
from tfx.dsl.io import fileio

from components.example_gen.input_file import kind_problem
from components.example_gen.spans import NEWEST, any_span, has_span, path_problems
from trainer_module.errors import UserError

_WILDCARDS = "*?["
_NOT_IN_BASE = _WILDCARDS + "{"
# Spark and the like leave `_SUCCESS`, editors and tools `.something`.
_VISIBLE_FILES = "[!._]*"


def check_paths(train: str, eval: str | None) -> None:
    """Makes sure that there are files to read; not for machines that can't see the data.

    Raises:
        UserError: Names `data.train`, `data.eval`, or both, with what was looked for.
    """
    problems = [f"{key}: {problem}" for key, path in _given(train, eval).items() if (problem := _path_problem(path))]
    if problems:
        raise UserError(problems)


def input_of(train: str, eval: str | None) -> tuple[str, list[str]]:
    """The folder that both inputs are in (with its slash), and the pattern of each relative to it.

    Where the newest span is held out, both have the same pattern.

    Raises:
        UserError: They have no storage in common, a path's placeholders are wrong, or one with `{SPAN}` or a date
            doesn't say which files it means.
    """
    given = _given(train, eval)
    problems = [f"{key}: {problem}" for key, path in given.items() for problem in path_problems(path)]
    patterns = {key: as_pattern(path) for key, path in given.items()}
    problems += [
        f"{key}: a path with spans must name its files; write {given[key].rstrip('/')}/*.csv or the like"
        for key, pattern in patterns.items()
        if has_span(given[key]) and pattern.endswith(_VISIBLE_FILES)
    ]
    if problems:
        raise UserError(problems)
    return split_base([*patterns.values(), *patterns.values()] if eval == NEWEST else list(patterns.values()))


def as_pattern(path: str) -> str:
    """The glob pattern of a file, folder or pattern, absolute when it is local.

    Where the path can't be looked at (gs://, or a container's own), it is a folder when it ends in a
    slash or when its last part has neither a dot nor a wildcard.
    """
    if not path:
        return path
    local = not _is_remote(path)
    is_slashed = path.endswith("/")
    path = os.path.abspath(path) if local else path.rstrip("/")
    if local and os.path.exists(path):
        is_folder = os.path.isdir(path)
        path = glob.escape(path)
    else:
        last = path.rpartition("/")[2]
        is_folder = is_slashed or not any(mark in last for mark in "." + _WILDCARDS)
    return f"{path}/{_VISIBLE_FILES}" if is_folder else path


def split_base(patterns: list[str]) -> tuple[str, list[str]]:
    """The deepest folder that all patterns share (with its slash), and the patterns relative to it.

    Raises:
        UserError: They share none.
    """
    if len({pattern.partition("://")[0] if _is_remote(pattern) else "" for pattern in patterns}) > 1:
        raise UserError("data.eval: must be in the same kind of storage as data.train")
    folders = [pattern.split("/")[:-1] for pattern in patterns]
    depth = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1 or any(mark in parts[0] for mark in _NOT_IN_BASE):
            break
        depth += 1
    base = "/".join(folders[0][:depth]) + "/"
    return base, [pattern.removeprefix(base) for pattern in patterns]


def _given(train: str, eval: str | None) -> dict[str, str]:
    return {"data.train": train} | ({} if eval in (None, NEWEST) else {"data.eval": eval})


def _is_remote(path: str) -> bool:
    return "://" in path


def _path_problem(path: str) -> str | None:
    if not path:
        return "is empty; name a file, a folder or a pattern"
    path = any_span(path)
    try:
        files = [found for found in fileio.glob(as_pattern(path)) if not fileio.isdir(found)]
        if files:
            return next((f"{file} {problem}" for file in sorted(files) if (problem := kind_problem(file))), None)
        if fileio.isdir(path):
            return f"folder {path} holds no files (names that begin with a dot or underscore don't count)"
    except (tf.errors.OpError, OSError) as error:
        return f"{path} cannot be read: {error}"
    if any(mark in path for mark in _WILDCARDS):
        return f"no file matches {path}"
    return _why_absent(path) or f"no such file or folder: {path}{_did_you_mean(path)}"


def _why_absent(path: str) -> str | None:
    """Why something can't be found though it isn't simply missing."""
    try:
        os.stat(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return f"{path} leads in a circle of symbolic links"
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            return f"{path} cannot be read: {error.strerror}"
        if os.path.islink(path):
            return f"{path} is a symbolic link to {os.readlink(path)}, which doesn't exist"
    return None


def _did_you_mean(path: str) -> str:
    folder, _, name = path.rstrip("/").rpartition("/")
    siblings = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    near = difflib.get_close_matches(name, siblings, n=1)
    return f"; did you mean {os.path.join(folder, near[0])!r}?" if near else ""
