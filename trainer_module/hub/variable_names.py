"""From a Hub encoder's variable names to its parts: embeddings, numbered blocks, pooler."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from trainer_module.errors import UserError
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
from trainer_module.hub.other_families import read_other_layout

# Ordered: the first pattern that matches names the part. A prefix (`bert_model/`, a Keras wrapper's) may precede each.
# The second name of a role is the one that the first TF2 generation of Hub models used.
_EMBEDDING_ROLES = (
    (r"word_embeddings/embeddings$", WORD_EMBEDDINGS),
    (r"position_embeddings?(/embeddings)?$", "position/embeddings"),
    (r"type_embeddings(/embeddings)?$", "type/embeddings"),
    (r"(embeddings|embedding_postprocessor)/layer_norm/(?P<rest>gamma|beta)$", "layer_norm/{rest}"),
    (r"embedding_projection/(?P<rest>kernel|bias)$", "projection/{rest}"),
)
_POOLER_ROLE = r"pooler_transform/(?P<rest>kernel|bias)$"
_BLOCK = r"(?:transformer|encoder)/layer_(?P<index>[0-9]{1,6})/(?P<role>.+)$"
# ALBERT: one block without a number serves all layers.
_SHARED_BLOCK = (
    r"transformer/(?P<role>(self_attention|self_attention_layer_norm|intermediate|output|output_layer_norm)/.+)$"
)
_OLD_ROLES = {"self_attention_output": "self_attention/attention_output"}

BLOCK_ROLES = tuple(
    f"{layer}/{weight}"
    for layer, weights in (
        ("self_attention/query", ("kernel", "bias")),
        ("self_attention/key", ("kernel", "bias")),
        ("self_attention/value", ("kernel", "bias")),
        ("self_attention/attention_output", ("kernel", "bias")),
        ("self_attention_layer_norm", ("gamma", "beta")),
        ("intermediate", ("kernel", "bias")),
        ("output", ("kernel", "bias")),
        ("output_layer_norm", ("gamma", "beta")),
    )
    for weight in weights
)
"""The weights of a transformer block, in the order in which a Hub model creates them."""

_EMBEDDINGS_NEEDED = (
    WORD_EMBEDDINGS,
    "position/embeddings",
    "type/embeddings",
    "layer_norm/gamma",
    "layer_norm/beta",
)
# Of two weights that come together the Hub creates this one first.
_FIRST_OF_PAIR = ("kernel", "gamma")


@dataclass(frozen=True)
class _Place:
    part: int  # sorts embeddings, block 0, block 1, …, pooler, the rest
    block: str
    role: str


def read_layout(
    named_shapes: Sequence[tuple[str, tuple[int, ...]]], source: str, *, hidden: int = 0, layers: int = 0
) -> EncoderLayout:
    """The encoder that variables of these names and shapes make up.

    Args:
        named_shapes: In any order; `layer_10` is sorted behind `layer_2`.
        source: The model's handle, for messages.
        hidden: Width of its output, where its interface tells; the names of a standard BERT tell it too.
        layers: Number of its layers, where its interface tells.

    Raises:
        UserError: There are no variables, or two have the same name.
    """
    names = [name for name, _ in named_shapes]
    if not names:
        raise UserError(f"model.hub: {source} is a SavedModel but not a BERT encoder: it has no variables")
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise UserError(
            f"model.hub: {source} has two variables called {twice}, so that rules couldn't tell them apart; "
            "save the encoder once more, with names of its own for each layer"
        )
    placed = [(_place(name), name, shape) for name, shape in named_shapes]
    placed.sort(key=lambda item: (item[0].part, _order_in_part(item[0].role)))
    variables = tuple(HubVariable(name, shape, place.block, place.role) for place, name, shape in placed)
    by_place = {(variable.block, variable.role): variable for variable in variables}
    numbers = sorted({place.part for place, _, _ in placed if place.block.startswith(f"{ENCODER}[")})
    shared = any(variable.block == ENCODER for variable in variables)
    deviation = _unexpected(variables) or _incomplete(by_place, numbers, shared) or _misshapen(by_place)
    if not deviation and shared and not layers:
        deviation = "its layers share one block, and its interface doesn't say how many there are"
    if deviation:
        return read_other_layout(named_shapes, deviation, hidden=hidden, layers=layers)
    query = by_place[ENCODER if shared else block_name(0), "self_attention/query/kernel"]
    projected = (EMBEDDINGS, "projection/kernel") in by_place
    return EncoderLayout(
        family="albert" if shared else "electra" if projected else "bert",
        blocks=0 if shared else len(numbers),
        hidden=query.shape[0],
        heads=query.shape[1],
        positions=by_place[EMBEDDINGS, "position/embeddings"].shape[0],
        shared_blocks=shared,
        variables=variables,
        layers=layers if shared else len(numbers),
    )


_POOLER_PART = 1_000_000


def _place(name: str) -> _Place:
    if match := re.search(rf"(?:^|/){_BLOCK}", name):
        first, _, rest = match["role"].partition("/")
        role = f"{_OLD_ROLES.get(first, first)}/{rest}"
        return _Place(int(match["index"]), block_name(int(match["index"])), role)
    if match := re.search(rf"(?:^|/){_SHARED_BLOCK}", name):
        return _Place(0, ENCODER, match["role"])
    if match := re.search(rf"(?:^|/){_POOLER_ROLE}", name):
        return _Place(_POOLER_PART, POOLER, match["rest"])
    for position, (pattern, role) in enumerate(_EMBEDDING_ROLES):
        if match := re.search(rf"(?:^|/){pattern}", name):
            return _Place(position - len(_EMBEDDING_ROLES), EMBEDDINGS, role.format(**match.groupdict()))
    return _Place(_POOLER_PART + 1, OTHER, name)


def _order_in_part(role: str) -> tuple[int, bool]:
    if role in BLOCK_ROLES:
        return BLOCK_ROLES.index(role), False
    return -1, not role.endswith(_FIRST_OF_PAIR)


def _unexpected(variables: Sequence[HubVariable]) -> str:
    """What the variables have that a BERT's haven't; empty: nothing."""
    first: dict[tuple[str, str], str] = {}
    for variable in variables:
        if variable.block == OTHER:
            return f"it has variables that no BERT has, such as {variable.name}"
        twin = first.setdefault((variable.block, variable.role), variable.name)
        if twin != variable.name:
            return f"{twin} and {variable.name} would have the same place in a BERT"
    return ""


def _incomplete(by_place: dict[tuple[str, str], HubVariable], numbers: list[int], shared: bool) -> str:
    """What the variables lack of a BERT's; empty: nothing."""
    if shared == bool(numbers):
        return "it has numbered blocks beside one without a number" if shared else "it has no transformer block"
    # A name may hold any number: blocks that aren't there are counted, not listed.
    gap = next((place for place, number in enumerate(numbers) if place != number), None)
    blocks = [ENCODER] if shared else [block_name(number) for number in numbers]
    needed = [(EMBEDDINGS, role) for role in _EMBEDDINGS_NEEDED]
    needed += [(block, role) for block in blocks for role in BLOCK_ROLES]
    for part, weights in ((POOLER, ("kernel", "bias")), (EMBEDDINGS, ("projection/kernel", "projection/bias"))):
        if any((part, weight) in by_place for weight in weights):
            needed += [(part, weight) for weight in weights]
    missing = [f"{part}: {role}" for part, role in needed if (part, role) not in by_place]
    count = len(missing)
    if gap is not None:
        missing.append(f"{block_name(gap)}: {BLOCK_ROLES[0]}")
        count += (numbers[-1] + 1 - len(numbers)) * len(BLOCK_ROLES)
    return f"it lacks {count} variable{'s' * (count > 1)} of a BERT, such as {missing[0]}" if missing else ""


def _misshapen(by_place: dict[tuple[str, str], HubVariable]) -> str:
    """Says which variable of a complete BERT doesn't fit the others by its shape; empty if they all fit."""
    sizes: dict[str, int] = {}
    for (block, role), variable in by_place.items():
        projected = (EMBEDDINGS, "projection/kernel") in by_place
        axes = _axes(block, role, "width" if projected else "hidden")
        # The size of a feed-forward layer may differ from block to block.
        names = [f"{block} {axis}" if axis == "inner" else axis for axis in axes]
        expected = [sizes.setdefault(name, size) for name, size in zip(names, variable.shape, strict=False)]
        if len(names) != len(variable.shape) or expected != list(variable.shape):
            return f"the shape {list(variable.shape)} of {variable.name} doesn't fit its other variables"
    return "" if all(sizes.values()) else "it has variables without a value"


def _axes(block: str, role: str, width: str) -> tuple[str, ...]:
    """What the axes of a weight stand for: those of one name have the same size in the whole model.

    Args:
        block: The weight's part.
        role: Its name in there.
        width: What the embeddings' width is called: `hidden` unless they are projected to it.
    """
    if block == EMBEDDINGS:
        table = {WORD_EMBEDDINGS: "words", "position/embeddings": "positions", "type/embeddings": "types"}
        if role == "projection/kernel":
            return width, "hidden"
        if role == "projection/bias":
            return ("hidden",)
        return (table[role], width) if role in table else (width,)
    if block == POOLER:
        return ("hidden", "hidden") if role == "kernel" else ("hidden",)
    return _BLOCK_AXES.get(role, ("hidden",))


_BLOCK_AXES: dict[str, tuple[str, ...]] = {
    **{f"self_attention/{each}/kernel": ("hidden", "heads", "head") for each in ("query", "key", "value")},
    **{f"self_attention/{each}/bias": ("heads", "head") for each in ("query", "key", "value")},
    "self_attention/attention_output/kernel": ("heads", "head", "hidden"),
    "intermediate/kernel": ("hidden", "inner"),
    "intermediate/bias": ("inner",),
    "output/kernel": ("inner", "hidden"),
}
