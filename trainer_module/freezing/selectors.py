"""Selectors: which variables of an encoder a freeze rule is about, and how that is written."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from trainer_module.hub.layout import EMBEDDINGS, ENCODER, POOLER, EncoderLayout, block_name

ALL = "all"
PARTS = (ALL, EMBEDDINGS, ENCODER, POOLER)

_BLOCKS_EXAMPLES = "`encoder[0]`, `encoder[0,2]`, `encoder[:8]` or `encoder[-2:]`"
_INDEXES = re.compile(r"\s*-?[0-9]+\s*(,\s*-?[0-9]+\s*)*")
_MOST_LISTED = 10
_SEARCH_SECONDS = 2
# Started without the site's packages, so that it takes 20 ms. Its processor time is limited, not the time on the clock,
# so that a busy machine refuses nothing.
_SEARCH = f"""
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({_SEARCH_SECONDS}, {_SEARCH_SECONDS}))
pattern, names = json.load(sys.stdin)
expression = re.compile(pattern)
json.dump([name for name in names if expression.search(name)], sys.stdout)
"""
_SLICE = re.compile(r"\s*(-?[0-9]+)?\s*:\s*(-?[0-9]+)?\s*(?::\s*(-?[0-9]+)?\s*)?")


class Selector(Protocol):
    """What follows `freeze` or `train` in a rule."""

    def select(self, layout: EncoderLayout) -> frozenset[str]:
        """The names of the selected variables; empty when there are none.

        Raises:
            ValueError: When it addresses blocks that the model doesn't have.
        """
        ...


@dataclass(frozen=True)
class PartSelector:
    """`all`, `embeddings`, `encoder` or `pooler`."""

    part: str

    def select(self, layout: EncoderLayout) -> frozenset[str]:
        return frozenset(variable.name for variable in layout.variables if self._holds(variable.block))

    def _holds(self, block: str) -> bool:
        return self.part in (ALL, block) or (self.part == ENCODER and block.startswith(f"{ENCODER}["))


@dataclass(frozen=True)
class BlockSelector:
    """Transformer blocks by zero-based index (`encoder[0,2]`) or by slice (`encoder[:8]`)."""

    blocks: tuple[int, ...] | slice

    def select(self, layout: EncoderLayout) -> frozenset[str]:
        if layout.shared_blocks:
            raise ValueError(
                "all layers of this model share the weights of one block, so no block stands alone; "
                "write `encoder` for all layers"
            )
        if layout.blocks == 0:
            raise ValueError(
                "the blocks of this model can't be told apart by their names; "
                "write `encoder` for all of them, or a name pattern"
            )
        chosen = {block_name(index) for index in self.indexes(layout.blocks)}
        return frozenset(variable.name for variable in layout.variables if variable.block in chosen)

    def indexes(self, count: int) -> tuple[int, ...]:
        """The selected blocks of a model that has `count` of them; nothing is clamped.

        Raises:
            ValueError: An index or a bound is outside the model, a block is named twice, or none is selected.

        Example:
            >>> BlockSelector(slice(-2, None)).indexes(6)
            (4, 5)
        """
        known = f"this model has {_range_text(count)}"
        if isinstance(self.blocks, tuple):
            outside = [str(index) for index in self.blocks if not -count <= index < count]
            if outside:
                raise ValueError(f"there is no block {' or '.join(outside[:_MOST_LISTED])}: {known}")
            chosen = tuple(index % count for index in self.blocks)
            twice = sorted(index for index, times in Counter(chosen).items() if times > 1)
            if twice:
                raise ValueError(f"names block {twice[0]} more than once; write each block once")
            return chosen
        # Python's slices may end behind the last block; a start there would select nothing.
        for word, bound, last in (("start", self.blocks.start, count - 1), ("end", self.blocks.stop, count)):
            if bound is not None and not -count <= bound <= last:
                raise ValueError(f"the slice's {word} must be from {-count} to {last}, not {bound}: {known}")
        chosen = tuple(range(count)[self.blocks])
        if not chosen:
            raise ValueError(f"the slice is empty, so it selects no block: {known}")
        return chosen


@dataclass(frozen=True)
class NameSelector:
    """A name pattern or a regular expression, as the expression to search in a variable's name.

    Attributes:
        expression: The expression.
        may_take_long: Whether the time to search for it can grow with more than the square of a name's length.
    """

    expression: re.Pattern[str]
    may_take_long: bool = False

    def select(self, layout: EncoderLayout) -> frozenset[str]:
        names = tuple(variable.name for variable in layout.variables)
        if not self.may_take_long:
            return frozenset(filter(self.expression.search, names))
        found = _search_within_limit(self.expression.pattern, names)
        if found is None:
            raise ValueError(
                f"takes more than {_SEARCH_SECONDS} seconds to search for in this model's names; "
                "write a simpler one, without repetitions of repetitions"
            )
        return found


@lru_cache(maxsize=256)
def _search_within_limit(pattern: str, names: tuple[str, ...]) -> frozenset[str] | None:
    """The names in which a pattern is found; None if that takes too long.

    `re` can't be interrupted: it holds Python's lock, in any thread. So it runs in a process that the kernel ends.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _SEARCH],
        input=json.dumps([pattern, names]),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return frozenset(json.loads(done.stdout)) if done.returncode == 0 else None


def _range_text(count: int) -> str:
    last = f" … `{block_name(count - 1)}`" if count > 1 else ""
    return f"{count} block{'s' if count > 1 else ''}, `{block_name(0)}`{last}"


def parse_selector(text: str) -> Selector:
    """Reads what follows `freeze` or `train`; needs no model.

    Raises:
        ValueError: Says what is wrong with it and how to write it.

    Example:
        >>> parse_selector("encoder[:8]")
        BlockSelector(blocks=slice(None, 8, None))
        >>> bool(parse_selector("layer_1").expression.search("transformer/layer_10/output/bias"))
        False
    """
    if not text:
        raise ValueError("the selector is empty; write `all`, `embeddings`, `encoder`, `pooler`, blocks or a name")
    if text in PARTS:
        return PartSelector(text)
    if text.startswith(f"{ENCODER}["):
        return BlockSelector(_parse_blocks(text))
    if text.startswith("re:"):
        return NameSelector(_parse_expression(text.removeprefix("re:").strip()), may_take_long=True)
    return NameSelector(_parse_pattern(text), may_take_long=len(re.findall(r"\*+", text)) > 1)


def _parse_blocks(text: str) -> tuple[int, ...] | slice:
    inside, bracket, rest = text.removeprefix(f"{ENCODER}[").partition("]")
    if not bracket:
        raise ValueError(f"the bracket is not closed; write {_BLOCKS_EXAMPLES}")
    if rest:
        raise ValueError(
            f"`{rest}` follows the blocks, but they can only be taken whole; "
            "for a part of a block write a name pattern such as `layer_0/output`"
        )
    if _INDEXES.fullmatch(inside):
        return tuple(int(index) for index in inside.split(","))
    if match := _SLICE.fullmatch(inside):
        start, stop, step = (None if bound is None else int(bound) for bound in match.groups())
        if step == 0:
            raise ValueError("the slice's step is 0; write 1 or more, such as `encoder[0:12:2]`")
        return slice(start, stop, step)
    if not inside.strip():
        raise ValueError(f"names no block; write {_BLOCKS_EXAMPLES}")
    if ":" in inside and "," in inside:
        raise ValueError("mixes indexes and a slice; write one rule for each")
    raise ValueError(f"`{inside}` is neither indexes nor a slice; write {_BLOCKS_EXAMPLES}")


def _parse_expression(text: str) -> re.Pattern[str]:
    if not text:
        raise ValueError("the regular expression is empty; write one behind `re:`, or `all` for every variable")
    try:
        return re.compile(text)
    except (re.error, OverflowError) as error:
        raise ValueError(f"is not a regular expression: {error}; mend it, or write a name pattern") from None
    except RecursionError:
        raise ValueError("nests its groups too deeply; write a simpler expression, or a name pattern") from None


def _parse_pattern(text: str) -> re.Pattern[str]:
    """The expression that finds the pattern as a run of whole components of a name."""
    if re.search(r":\d+$", text):
        raise ValueError(f"names are written without TensorFlow's `:0`; write `{text.rpartition(':')[0]}`")
    components = text.split("/")
    if "" in components:
        raise ValueError("has an empty component; write single slashes between components and none around them")
    # At either end `**` adds nothing, because a run may start and stop at any component.
    while components and components[0] == "**":
        components.pop(0)
    while components and components[-1] == "**":
        components.pop()
    steps = [r"(?:[^/]+/)*" if part == "**" else f"{_component_expression(part)}/" for part in components]
    body = "".join(steps).removesuffix("/")
    return re.compile(rf"(?:^|/){body}(?:/|\Z)" if body else "")


def _component_expression(component: str) -> str:
    if "**" in component:
        raise ValueError(f"`**` stands for whole components, so not inside `{component}`; write `*` there")
    return "".join(_token_expression(token) for token in re.findall(r"\[[^\]]*\]|.", component, re.DOTALL))


def _token_expression(token: str) -> str:
    match token:
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case "[" | "]":
            raise ValueError(f"the bracket `{token}` has no partner; write sets of characters such as `layer_[0-3]`")
        case _ if not token.startswith("["):
            return re.escape(token)
    negated = token[1] in "!^"
    characters = token[2 if negated else 1 : -1]
    if not characters:
        raise ValueError(f"`{token}` holds no characters; write some, such as `layer_[0-3]`")
    escaped = re.sub(r"([\\\[&~|])", r"\\\1", characters)
    # The look-ahead keeps ranges and negated sets from taking the slash between components.
    expression = f"(?!/)[{'^' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"`{token}` is not a set of characters: {error}; write it like `[0-3]`") from None
    return expression
