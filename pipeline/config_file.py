"""Reads a TOML config file, with `--set` overrides, into a `PipelineConfig`."""

import datetime
import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pipeline.config import PipelineConfig
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error, parse, refused_values, shortened

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def load_config(path: Path, overrides: Sequence[str] = ()) -> PipelineConfig:
    """Reads, overrides, validates, and makes every path absolute.

    Args:
        path: The TOML file.
        overrides: `section.key=value`, later ones win. A value is TOML (`3`, `true`, `["a", "b"]`,
            `[{ freeze = "all" }]`); what isn't TOML is a string, so `data.label=topic` needs no quotes.
            An override means what the same line in the file would mean, relative paths included: they
            are taken from the **file's folder**, not from the current one. So a command means the same
            from anywhere, and an override can be moved into the file as it is. For a path from the
            current folder write `--set "data.train=$PWD/rows.csv"`.

    Raises:
        UserError: No such file, not TOML, an override that can't be read, or anything in it that is
            not allowed: all the problems of the config at once.

    Example:
        >>> load_config(Path("configs/sst2.toml"), ["train.epochs=1"]).train.epochs  # doctest: +SKIP
        1
    """
    given = _read_toml(path)
    problems = [problem for override in overrides if (problem := _apply(given, override))]
    problems += refused_values(given)
    if problems:
        raise UserError(problems)
    try:
        # Strict, because "3" for a number or true for 1 in a hand-written file is a slip.
        config = PipelineConfig.model_validate(given, strict=True)
    except ValidationError as error:
        raise UserError(describe_validation_error(error, PipelineConfig)) from None
    return config.resolve_paths(path.parent.resolve())


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise UserError(f"{path}: {_why_no_file(path)}")
        given: dict[str, Any] = parse(tomllib.loads, path.read_text(encoding="utf-8-sig"))
        return given
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 (at byte {error.start}); save it as UTF-8") from None
    except ValueError as error:
        raise UserError(f"{path}: is not valid TOML: {error}") from None


def _why_no_file(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    if path.exists() and not path.is_dir():
        return "is no regular file; give a config file"
    reason = "is a folder, not a config file" if path.is_dir() else "no such file"
    names = sorted(file.name for file in folder.glob("*.toml") if file.is_file())
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f"{reason}; did you mean {folder / near[0]}?"
    if names:
        return f"{reason}; config files in {folder}: {', '.join(names)}"
    return f"{reason}; there is {'no .toml file in' if folder.is_dir() else 'no folder'} {folder}"


def _apply(config: dict[str, Any], override: str) -> str | None:
    """Writes one `section.key=value` into `config`; returns what is wrong with it, if anything."""
    key, equals, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    override = shortened(override)
    if not equals:
        return f"--set {override}: has no '='; write section.key=value, such as model.max_tokens=64"
    if not all(parts):
        return f"--set {override}: {shortened(repr(key))} is not a key; write section.key, such as model.max_tokens"
    if len(parts) == 1 and parts[0] not in PipelineConfig.model_fields:
        return f"--set {override}: {shortened(repr(key))} names no section{_with_section(parts[0])}"
    try:
        value = _read_value(text)
    except ValueError as error:
        return f"--set {override}: the value is not valid TOML: {error}"
    table = config
    for depth, part in enumerate(parts[:-1], start=1):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            parent, missing = shortened(".".join(parts[:depth])), shortened(repr(parts[depth]))
            return f"--set {override}: {parent} is a value ({shortened(repr(table))}), so it has no key {missing}"
    table[parts[-1]] = value
    return None


def _read_value(text: str) -> Any:
    """TOML where it is TOML, else the text itself, unless it begins like a TOML string, list or table."""
    try:
        parsed = parse(tomllib.loads, f"value = {text}")
    except ValueError:
        if text.lstrip().startswith(('"', "'", "[", "{")):
            raise
        return text
    # No key takes a date, but a run may well be named after one; and a line break would begin another key.
    is_date = isinstance(parsed["value"], datetime.date | datetime.time)
    return text if is_date or parsed.keys() != {"value"} else parsed["value"]


def _with_section(key: str) -> str:
    """`; did you mean model.max_tokens?` for a key that was given without its section."""
    keys = {f"{section}.{name}" for section, fields in _sections().items() for name in fields}
    owners = sorted(full for full in keys if full.split(".")[1] == key)
    if owners:
        return f"; did you mean {' or '.join(owners)}?"
    return f"; sections: {', '.join(PipelineConfig.model_fields)}"


def _sections() -> Mapping[str, list[str]]:
    # A section that may be left out is of its model's type or None.
    models = {
        name: next(iter(get_args(field.annotation)), field.annotation)
        for name, field in PipelineConfig.model_fields.items()
    }
    return {
        name: [field.alias or key for key, field in model.model_fields.items()]
        for name, model in models.items()
        if isinstance(model, type) and issubclass(model, BaseModel)
    }
