"""`permafrost cache`: what a prefix cache holds, and removing what wasn't used for long."""

import re
import time
from collections.abc import Sequence
from datetime import datetime, timezone

from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from pipeline.cli.terminal import Terminal
from trainer_module.errors import UserError
from trainer_module.prefix_cache.inventory import (
    StoredPrefix,
    StoredSegment,
    read_inventory,
    remove,
    select_prefix,
    to_prune,
)

_SHORT_DIGEST = 12
_SECONDS = {"h": 3600, "d": 86400, "w": 604800}


def ls_command(cache_dir: str, as_json: bool) -> None:
    """Prints what a cache holds.

    Raises:
        UserError: It is no prefix cache.
    """
    terminal = Terminal.open()
    prefixes = read_inventory(cache_dir)
    if as_json:
        terminal.print_json(_as_json(prefixes))
    else:
        _print_table(terminal.out, prefixes)


def prune_command(
    cache_dir: str, older_than: str | None, max_size: str | None, prefix: str | None, dry_run: bool
) -> None:
    """Removes segments, least recently used first, and says what went.

    Args:
        cache_dir: Holds a folder for each prefix.
        older_than: Such as `30d`.
        max_size: Such as `10GB`.
        prefix: Beginning of a digest; only this prefix is looked at, and removed whole when there is no other limit.
        dry_run: Only say what would go.

    Raises:
        UserError: No criterion is given, one can't be understood, or the folder is no prefix cache.
    """
    if older_than is None and max_size is None and prefix is None:
        raise UserError("cache prune: say what to remove: --older-than 30d, --max-size 10GB or --prefix DIGEST")
    seconds = None if older_than is None else _seconds(older_than)
    size = None if max_size is None else _bytes(max_size)
    prefixes = read_inventory(cache_dir)
    if prefix is not None:
        prefixes = [select_prefix(prefixes, prefix)]
    chosen = to_prune(prefixes, time.time(), seconds, size)
    if not dry_run:
        remove(prefixes, chosen)
    _print_pruned(Terminal.open().out, prefixes, chosen, "would remove" if dry_run else "removed")


def _seconds(text: str) -> float:
    parts = re.fullmatch(r"(\d+)([hdw])", text.strip())
    if parts is None:
        raise UserError(f"--older-than: {text!r} is no age; write a number of hours, days or weeks: 12h, 30d, 2w")
    return float(parts[1]) * _SECONDS[parts[2]]


def _bytes(text: str) -> int:
    try:
        return int(TypeAdapter(ByteSize).validate_python(text.strip()))
    except ValidationError:
        raise UserError(f"--max-size: {text!r} is no size; write a number with a unit: 500MB, 10GB, 1.5GiB") from None


def _as_json(prefixes: Sequence[StoredPrefix]) -> dict[str, object]:
    listed = [
        {
            "digest": prefix.digest,
            **prefix.description.model_dump(mode="json", exclude={"kind"}),
            "rows": prefix.rows,
            "bytes": prefix.size,
            "last_used": None if prefix.last_used is None else _moment(prefix.last_used).isoformat(),
        }
        for prefix in prefixes
    ]
    total = {"rows": sum(prefix.rows for prefix in prefixes), "bytes": sum(prefix.size for prefix in prefixes)}
    return {"prefixes": listed, **total}


def _print_table(out: Console, prefixes: Sequence[StoredPrefix]) -> None:
    table = Table("prefix", show_footer=True)
    table.columns[0].footer = "total"
    table.add_column("hub", overflow="fold")
    table.add_column("parts")
    table.add_column("dtype")
    table.add_column("rows", f"{sum(prefix.rows for prefix in prefixes):,}", justify="right")
    table.add_column("size", decimal(sum(prefix.size for prefix in prefixes)), justify="right")
    table.add_column("last used")
    for prefix in prefixes:
        table.add_row(
            prefix.digest[:_SHORT_DIGEST],
            prefix.description.hub.replace("[", r"\["),
            prefix.description.depth.replace("[", r"\["),
            prefix.description.dtype,
            f"{prefix.rows:,}",
            decimal(prefix.size),
            "never" if prefix.last_used is None else f"{_moment(prefix.last_used).astimezone():%Y-%m-%d %H:%M}",
        )
    out.print(table)


def _print_pruned(out: Console, prefixes: Sequence[StoredPrefix], chosen: Sequence[StoredSegment], verb: str) -> None:
    gone = set(chosen)
    for prefix in prefixes:
        of_this = [segment for segment in prefix.segments if segment in gone]
        if of_this:
            line = (
                f"{prefix.digest[:_SHORT_DIGEST]}: {verb} {len(of_this)} of {len(prefix.segments)} segments, "
                f"{_amount(of_this)} ({prefix.description.hub}, {prefix.description.depth})"
            )
            out.print(line, markup=False, soft_wrap=True)
    kept = [segment for prefix in prefixes for segment in prefix.segments if segment not in gone]
    out.print(f"{verb} {_amount(chosen)}; {_amount(kept)} stay", markup=False, soft_wrap=True)


def _amount(segments: Sequence[StoredSegment]) -> str:
    rows = sum(segment.rows for segment in segments)
    return f"{rows:,} rows, {decimal(sum(segment.size for segment in segments))}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
