"""The filters by which a resolver's artifacts are found, as TFX writes them:
`schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.compiled.artifact_store import Artifact
from trainer_module.errors import UserError

_FIELDS = ("name", "schema_title", "state", "uri")
_TERM = re.compile(
    r"\s*(?P<field>[A-Za-z_]\w*(?:\.[^\s=.]+)*)\s*=\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"()]+))\s*'
)
_AND = re.compile(r"AND\s+")
_METADATA = re.compile(r"metadata\.(?P<key>[^.]+)\.(?P<kind>number|string|bool)_value")


@dataclass(frozen=True)
class Condition:
    """That a field of an artifact has this value.

    Attributes:
        field: `name`, `schema_title`, `state`, `uri` or `metadata.KEY.number_value` (`string_value`, `bool_value`).
        value: As text.
    """

    field: str
    value: str

    def holds(self, artifact: Artifact) -> bool:
        """Whether it is so."""
        if match := _METADATA.fullmatch(self.field):
            return _equals(artifact.metadata.get(match["key"]), match["kind"], self.value)
        return self.value == {
            "name": artifact.name,
            "schema_title": artifact.title,
            "state": artifact.state,
            "uri": artifact.uri,
        }.get(self.field)


def parse_filter(text: str) -> list[Condition]:
    """The conditions of a filter, all of which must hold.

    Raises:
        UserError: It says something that TFX doesn't write, and that wouldn't be understood rightly.

    Example:
        >>> parse_filter('state=LIVE AND name="a"')
        [Condition(field='state', value='LIVE'), Condition(field='name', value='a')]
    """
    conditions = []
    position = 0
    while True:
        match = _TERM.match(text, position)
        if not match:
            raise _not_understood(text, position, "a condition FIELD=VALUE")
        conditions.append(_condition(text, match))
        position = match.end()
        if position == len(text):
            return conditions
        joined = _AND.match(text, position)
        if not joined:
            raise _not_understood(text, position, "AND")
        position = joined.end()


def _condition(text: str, match: "re.Match[str]") -> Condition:
    field = match["field"]
    metadata = _METADATA.fullmatch(field)
    if not metadata and field not in _FIELDS:
        raise _not_understood(text, match.start("field"), f"{', '.join(_FIELDS)} or metadata.KEY.number_value")
    value = match["bare"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
    if metadata and metadata["kind"] == "number" and not _is_number(value):
        raise _not_understood(text, match.end("field"), "a number")
    return Condition(field, value)


def _equals(found: object, kind: str, wanted: str) -> bool:
    comparisons: dict[str, Callable[[], bool]] = {
        "number": lambda: type(found) in (int, float) and found == float(wanted),
        "string": lambda: found == wanted,
        "bool": lambda: type(found) is bool and str(found).lower() == wanted.lower(),
    }
    return comparisons[kind]()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _not_understood(text: str, position: int, expected: str) -> UserError:
    return UserError(
        f"filter {text!r}: expected {expected} at {text[position:]!r}; run-compiled knows no more than TFX writes"
    )
