"""The parts of an encoder that isn't a standard BERT, as far as its variables' names tell them apart."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from trainer_module.hub.layout import (
    EMBEDDINGS,
    ENCODER,
    OTHER,
    POOLER,
    WORD_EMBEDDINGS,
    EncoderLayout,
    HubVariable,
    block_name,
)

NamedShape = tuple[str, tuple[int, ...]]

# Ordered: what a component of some variable's name contains, and the family that it gives away.
_FAMILIES = (
    ("mobile_bert", "mobilebert"),
    ("mobilebert", "mobilebert"),
    ("talking_heads", "talking_heads"),
    ("pre_softmax_weight", "talking_heads"),
    ("self_attention", "bert-like"),
)
_NUMBER = re.compile(r"(?P<stem>.*?)(?:_(?P<number>[0-9]{1,6}))?$", re.DOTALL)
_POOLER_WORDS = ("pooler", "pooled", "cls_transform")
_ORDER = (EMBEDDINGS, ENCODER, POOLER, OTHER)


@dataclass(frozen=True)
class _Numbered:
    """A variable below a component that may be the name of a block: `transformer_layer_3`, `transformer_scaffold`."""

    name: str
    number: int | None
    rest: str

    @property
    def role(self) -> tuple[str, ...]:
        """The rest without the numbers that Keras adds to make names unique: the same in every block."""
        return tuple(re.sub(r"_\d+$", "", component) for component in self.rest.split("/"))


def read_other_layout(named_shapes: Sequence[NamedShape], deviation: str, *, hidden: int, layers: int) -> EncoderLayout:
    """The parts of any encoder.

    Its blocks can be told apart when some component of the names carries a number, the numbers follow on each
    other, and what is below the component is the same for each number. Of several such components the one with
    most variables counts: `transformer_layer_N` and not the `ffn_layer_M` inside it.

    Args:
        named_shapes: In any order.
        deviation: Why it isn't a standard BERT.
        hidden: Width of its output.
        layers: Number of its layers, where its interface tells; 0 otherwise.
    """
    blocks = _find_blocks([name for name, _ in named_shapes])
    variables = [_variable(name, shape, blocks) for name, shape in sorted(named_shapes)]
    variables.sort(key=lambda variable: _part_order(variable.block))
    count = len(set(blocks.values()))
    query = next((v.shape for v in variables if re.search(r"(^|/)query/kernel$", v.name) and len(v.shape) == 3), None)
    positions = next((v.shape[0] for v in variables if v.block == EMBEDDINGS and "position" in v.name and v.shape), 0)
    return EncoderLayout(
        family=_family([name for name, _ in named_shapes]),
        blocks=count,
        hidden=hidden,
        heads=query[1] if query else 0,
        positions=positions,
        shared_blocks=False,
        variables=tuple(variables),
        layers=count or layers,
        deviation=deviation,
    )


def _find_blocks(names: Sequence[str]) -> dict[str, int]:
    """The zero-based block of each variable that is in one; empty when blocks can't be told apart."""
    candidates: dict[tuple[tuple[str, ...], str], list[_Numbered]] = defaultdict(list)
    for name in names:
        components = name.split("/")
        for depth, component in enumerate(components[:-1]):
            match = _NUMBER.match(component)
            if match is None or not match["stem"]:
                continue
            number = None if match["number"] is None else int(match["number"])
            numbered = _Numbered(name, number, "/".join(components[depth + 1 :]))
            above = tuple(components[:depth])
            candidates[above, match["stem"]].append(numbered)
    found = sorted((_as_blocks(variables) for variables in candidates.values()), key=len, reverse=True)
    # Two towers of the same size: neither is the encoder's blocks.
    tie = len(found) > 1 and len(found[0]) == len(found[1])
    return {} if tie or not found else found[0]


def _as_blocks(variables: Sequence[_Numbered]) -> dict[str, int]:
    numbers = {variable.number for variable in variables if variable.number is not None}
    if any(variable.number is None for variable in variables):
        # Keras leaves the number of the first one out, then counts from 1.
        if 0 in numbers or not numbers:
            return {}
        numbers.add(min(numbers) - 1)
    first, last = min(numbers), max(numbers)
    if len(numbers) < 2 or len(numbers) != last - first + 1:
        return {}
    blocks = {v.name: (first if v.number is None else v.number) - first for v in variables}
    roles: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for variable in variables:
        roles[blocks[variable.name]].append(variable.role)
    alike = {tuple(sorted(each)) for each in roles.values()}
    return blocks if len(alike) == 1 else {}


def _variable(name: str, shape: tuple[int, ...], blocks: dict[str, int]) -> HubVariable:
    components = [component.lower() for component in name.split("/")]
    if name in blocks:
        return HubVariable(name, shape, block_name(blocks[name]), name)
    if any("embedding" in component for component in components):
        is_word = bool(re.search(r"(^|/)word_embeddings?/embeddings$", name))
        return HubVariable(name, shape, EMBEDDINGS, WORD_EMBEDDINGS if is_word else name)
    if any(word in component for component in components for word in _POOLER_WORDS):
        return HubVariable(name, shape, POOLER, name)
    return HubVariable(name, shape, OTHER if blocks else ENCODER, name)


def _part_order(block: str) -> tuple[int, int]:
    part, _, index = block.removesuffix("]").partition("[")
    return _ORDER.index(part), int(index or -1)


def _family(names: Sequence[str]) -> str:
    for word, family in _FAMILIES:
        if any(word in name.lower() for name in names):
            return family
    return "unknown"
