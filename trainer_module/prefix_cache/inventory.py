"""What a prefix cache holds, told to people, and what of it to remove."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainer_module.errors import UserError
from trainer_module.prefix_cache.new_file import new_file, refuse_remote, remove_leftovers
from trainer_module.prefix_cache.segment_file import has_segment_magic, is_segment_name
from trainer_module.prefix_cache.segment_header import DamagedSegment, read_header

DESCRIPTION_FILE = "prefix.json"


class PrefixDescription(BaseModel):
    """What one folder of a prefix cache holds.

    Attributes:
        kind: Tells our files from other people's.
        hub: Handle of the Hub model.
        parts: Of the model whose output is stored, from below: `embeddings`, `encoder[0]`, …
        dtype: Of the activations.
        max_tokens: At which texts were cut.
        created: When.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["permafrost prefix cache"] = "permafrost prefix cache"
    hub: str
    parts: list[str]
    dtype: Literal["float32", "bfloat16", "float16"]
    max_tokens: int
    created: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))

    @property
    def depth(self) -> str:
        """The parts in short, such as `embeddings + 3 blocks`."""
        blocks = sum(part.startswith("encoder[") for part in self.parts)
        short = [part for part in self.parts if not part.startswith("encoder[")]
        if blocks:
            # Blocks follow the embeddings; the pooler comes after them.
            short.insert(1 if short[:1] == ["embeddings"] else 0, f"{blocks} block{'s' if blocks > 1 else ''}")
        return " + ".join(short)


@dataclass(frozen=True)
class StoredSegment:
    """One segment.

    Attributes:
        path: Its file.
        rows: Examples in it; 0 when it is damaged.
        size: Bytes.
        last_used: Seconds since the epoch; when a run last opened it for reading, or wrote it.
    """

    path: str
    rows: int
    size: int
    last_used: float


@dataclass(frozen=True)
class StoredPrefix:
    """The activations of one prefix.

    Attributes:
        directory: Named by the prefix' digest.
        description: From `prefix.json`.
        segments: What is stored; none after everything was pruned.
    """

    directory: str
    description: PrefixDescription
    segments: tuple[StoredSegment, ...]

    @property
    def digest(self) -> str:
        return os.path.basename(self.directory)

    @property
    def rows(self) -> int:
        return sum(segment.rows for segment in self.segments)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def last_used(self) -> float | None:
        """Seconds since the epoch; None when there is no segment."""
        return max((segment.last_used for segment in self.segments), default=None)


def describe(directory: str, description: Mapping[str, Any]) -> None:
    """Writes a prefix' description into its folder, before anything is stored there; one that is there already stays.

    Args:
        directory: Of the prefix; created if absent.
        description: The fields of `PrefixDescription`.

    Raises:
        UserError: The folder is remote or can't be written.
    """
    refuse_remote(directory)
    checked = PrefixDescription.model_validate(dict(description))
    if _description(directory) is not None:
        return
    try:
        os.makedirs(directory, exist_ok=True)
        with new_file(os.path.join(directory, DESCRIPTION_FILE)) as file:
            file.write((checked.model_dump_json(indent=2) + "\n").encode())
    except OSError as error:
        raise UserError(f"{directory}: the prefix cache can't be written: {error.strerror or error}") from None


def read_inventory(cache_dir: str) -> list[StoredPrefix]:
    """Reads what a cache holds, without its values.

    Args:
        cache_dir: Holds a folder for each prefix.

    Returns:
        The prefixes, by digest.

    Raises:
        UserError: It isn't a prefix cache, or can't be read.
    """
    refuse_remote(cache_dir)
    if not os.path.isdir(cache_dir):
        raise UserError(f"{cache_dir}: no such folder; give the one that train.prefix_cache_dir names")
    if _description(cache_dir) is not None:
        raise UserError(
            f"{cache_dir}: this is one prefix of a cache; give the folder that it is in, and name it with --prefix"
        )
    prefixes = []
    try:
        for entry in sorted(os.scandir(cache_dir), key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False) and (description := _description(entry.path)) is not None:
                prefixes.append(StoredPrefix(entry.path, description, tuple(_segments(entry.path))))
    except OSError as error:
        raise UserError(f"{cache_dir}: can't be read: {error}") from None
    if not prefixes:
        raise UserError(
            f"{cache_dir}: this is no prefix cache: no folder in it has a {DESCRIPTION_FILE} of Permafrost's; "
            "give the one that train.prefix_cache_dir names"
        )
    return prefixes


def select_prefix(prefixes: Iterable[StoredPrefix], digest: str) -> StoredPrefix:
    """The one prefix whose digest begins like this.

    Raises:
        UserError: There is none, or more than one.
    """
    known = list(prefixes)
    matching = [prefix for prefix in known if prefix.digest.startswith(digest)] if digest else []
    if len(matching) == 1:
        return matching[0]
    problem = "matches more than one" if matching else "matches none"
    raise UserError(f"--prefix: {digest!r} {problem} of: {', '.join(prefix.digest for prefix in matching or known)}")


def to_prune(
    prefixes: Iterable[StoredPrefix], now: float, older_than: float | None, max_size: int | None
) -> list[StoredSegment]:
    """Chooses what to remove, least recently used first; everything when there is no limit.

    Args:
        prefixes: To choose from.
        now: Seconds since the epoch.
        older_than: Removes what wasn't used for this many seconds.
        max_size: Removes until no more than this many bytes remain in the prefixes.
    """
    segments = sorted(
        (segment for prefix in prefixes for segment in prefix.segments), key=lambda each: (each.last_used, each.path)
    )
    if older_than is None and max_size is None:
        return segments
    excess = 0 if max_size is None else sum(segment.size for segment in segments) - max_size
    chosen = []
    for segment in segments:
        unused = older_than is not None and now - segment.last_used > older_than
        if unused or excess > 0:
            chosen.append(segment)
            excess -= segment.size
    return chosen


def remove(prefixes: Iterable[StoredPrefix], segments: Iterable[StoredSegment]) -> None:
    """Removes segments, and in the prefixes' folders what killed processes left behind.

    The folders and their descriptions stay: a run may be about to write there. A run that has mapped a segment goes on
    reading it.

    Raises:
        UserError: Some can't be removed; all others are.
    """
    problems = []
    for segment in segments:
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(segment.path)
        except OSError as error:
            problems.append(f"{segment.path}: can't be removed: {error.strerror or error}")
    for prefix in prefixes:
        with contextlib.suppress(FileNotFoundError):
            remove_leftovers(prefix.directory)
    if problems:
        raise UserError(problems)


def _description(directory: str) -> PrefixDescription | None:
    """A folder's description, or None when it has none of ours."""
    try:
        with open(os.path.join(directory, DESCRIPTION_FILE), "rb") as file:
            return PrefixDescription.model_validate_json(file.read())
    except (OSError, ValidationError):
        return None


def _segments(directory: str) -> Iterable[StoredSegment]:
    for entry in os.scandir(directory):
        # One that another process prunes just now isn't there.
        with contextlib.suppress(FileNotFoundError):
            if is_segment_name(entry.name) and entry.is_file(follow_symlinks=False) and has_segment_magic(entry.path):
                status = entry.stat()
                yield StoredSegment(entry.path, _rows(entry.path), status.st_size, status.st_mtime)


def _rows(path: str) -> int:
    try:
        with open(path, "rb") as file:
            return read_header(file).rows
    except DamagedSegment:
        return 0
