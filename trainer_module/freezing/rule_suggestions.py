"""What a freeze rule that selects nothing may have meant."""

import difflib
import re
from collections.abc import Iterator, Sequence

from trainer_module.freezing.freeze_rules import FreezeRule
from trainer_module.freezing.selectors import PARTS
from trainer_module.hub.layout import EncoderLayout


def what_to_write(rule: FreezeRule, layout: EncoderLayout) -> str:
    """What a rule that selects nothing may have meant: the first alternative that does select something."""
    present = {variable.block.partition("[")[0] for variable in layout.variables}
    if rule.selector in PARTS:
        parts = " and ".join(f"`{part}`" for part in PARTS if part in present)
        return f"it has no {rule.selector}, only {parts}"
    for selector in _alternatives(rule.selector, layout):
        try:
            alternative = FreezeRule.model_validate({rule.action: selector})
            if alternative.select(layout):
                return f"did you mean `{selector}`?"
        except ValueError:
            continue
    example = max((variable.name for variable in layout.variables), key=lambda name: (len(name), name))
    return f"its names look like `{example}`"


def _alternatives(selector: str, layout: EncoderLayout) -> Iterator[str]:
    """Selectors near one that selects nothing, the likeliest first; some may select nothing either."""
    components = sorted({part for variable in layout.variables for part in variable.name.split("/")})
    if selector.startswith("re:"):
        for word in re.findall(r"\w+", selector.removeprefix("re:")):
            if not any(word in component for component in components):
                selector = selector.replace(word, _nearest(word, components) or word)
        yield selector
        return
    parts = selector.split("/")
    if len(parts) == 1 and "*" not in selector:
        yield _nearest(selector, [*PARTS, *components]) or selector
    yield "/".join(_nearest_component(part, components) for part in parts)
    yield "/**/".join(parts)
    yield "/**/".join(_nearest_component(part, components) for part in parts)
    yield selector.replace(".", "/")
    for start in range(1, len(parts)):
        yield "/".join(parts[start:])


def _nearest_component(pattern: str, components: Sequence[str]) -> str:
    """The pattern itself when a component matches it, else the component that it may have meant."""
    core = pattern.strip("*")
    if not core or pattern in components:
        return pattern
    near = _nearest(core, components)
    return pattern.replace(core, near) if near else pattern


def _nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word most like this one; of words that differ in their number only, the nearest number."""

    def shape(text: str) -> str:
        return re.sub(r"\d+", "#", text.lower())

    def number(text: str) -> int:
        return int("".join(re.findall(r"[0-9]+", text)) or 0)

    numbered = [other for other in known if shape(other) == shape(word)]
    if numbered:
        return min(numbered, key=lambda other: (abs(number(other) - number(word)), other))
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(word.lower(), sorted(lower), n=1)
    return lower[near[0]] if near else None
