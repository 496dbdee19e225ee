"""From a Hub encoder's variable names to its parts: embeddings, numbered blocks, pooler."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trainer_module.errors import UserError
from trainer_module.layout import EMBEDDINGS, OTHER, POOLER, EncoderLayout, HubVariable, block_name

# Ordered: the first pattern that matches names the part. A prefix (`bert_model/`, a Keras wrapper's) may precede each.
# The second name of a role is the one that the first TF2 generation of Hub models used.
_EMBEDDING_ROLES = (
    (r"word_embeddings/embeddings$", "word/embeddings"),
    (r"position_embeddings?(/embeddings)?$", "position/embeddings"),
    (r"type_embeddings(/embeddings)?$", "type/embeddings"),
    (r"(embeddings|embedding_postprocessor)/layer_norm/(?P<rest>gamma|beta)$", "layer_norm/{rest}"),
    (r"embedding_projection/(?P<rest>kernel|bias)$", "projection/{rest}"),
)
_POOLER_ROLE = r"pooler_transform/(?P<rest>kernel|bias)$"
_BLOCK = r"(?:transformer|encoder)/layer_(?P<index>\d+)/(?P<role>.+)$"
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
    "word/embeddings",
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


def read_layout(named_shapes: Sequence[tuple[str, tuple[int, ...]]], source: str) -> EncoderLayout:
    """The encoder that variables of these names and shapes make up.

    Args:
        named_shapes: In any order; `layer_10` is sorted behind `layer_2`.
        source: The model's handle, for messages.

    Raises:
        UserError: The names aren't those of a BERT encoder.
    """
    placed = [(_place(name), name, shape) for name, shape in named_shapes]
    placed.sort(key=lambda item: (item[0].part, _order_in_part(item[0].role)))
    variables = tuple(HubVariable(name, shape, place.block, place.role) for place, name, shape in placed)
    by_place = {(variable.block, variable.role): variable for variable in variables}
    numbers = sorted({place.part for place, _, _ in placed if 0 <= place.part < _POOLER_PART})
    word = by_place.get((EMBEDDINGS, "word/embeddings"))
    if word is None or not numbers:
        shown = ", ".join(name for name, _ in list(named_shapes)[:4]) or "none"
        raise UserError(
            f"model.hub: {source} is a SavedModel but not a BERT encoder: expected word embeddings and numbered "
            f"transformer blocks among its {len(named_shapes)} variables (the first are: {shown})"
        )
    _refuse_unexpected(variables, source)
    _refuse_incomplete(by_place, numbers, source)
    query = by_place[block_name(0), "self_attention/query/kernel"]
    position = by_place.get((EMBEDDINGS, "position/embeddings"))
    return EncoderLayout(
        family="electra" if (EMBEDDINGS, "projection/kernel") in by_place else "bert",
        blocks=len(numbers),
        hidden=query.shape[0],
        heads=query.shape[1],
        positions=position.shape[0] if position else 0,
        shared_blocks=False,
        variables=variables,
    )


_POOLER_PART = 1_000_000


def _place(name: str) -> _Place:
    if match := re.search(rf"(?:^|/){_BLOCK}", name):
        first, _, rest = match["role"].partition("/")
        role = f"{_OLD_ROLES.get(first, first)}/{rest}"
        return _Place(int(match["index"]), block_name(int(match["index"])), role)
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


def _refuse_unexpected(variables: Sequence[HubVariable], source: str) -> None:
    first: dict[tuple[str, str], str] = {}
    for variable in variables:
        if variable.block == OTHER:
            raise UserError(
                f"model.hub: {source} is not a standard BERT encoder: it has variables that none has "
                f"(the first: {variable.name}); such families are not supported yet"
            )
        twin = first.setdefault((variable.block, variable.role), variable.name)
        if twin != variable.name:
            raise UserError(
                f"model.hub: {source} is not a standard BERT encoder: {twin} and {variable.name} have the same place "
                "in it; such families are not supported yet"
            )


def _refuse_incomplete(by_place: dict[tuple[str, str], HubVariable], numbers: list[int], source: str) -> None:
    needed = [(EMBEDDINGS, role) for role in _EMBEDDINGS_NEEDED]
    needed += [(block_name(number), role) for number in range(numbers[-1] + 1) for role in BLOCK_ROLES]
    for part, weights in ((POOLER, ("kernel", "bias")), (EMBEDDINGS, ("projection/kernel", "projection/bias"))):
        if any((part, weight) in by_place for weight in weights):
            needed += [(part, weight) for weight in weights]
    missing = [f"{part}: {role}" for part, role in needed if (part, role) not in by_place]
    if missing:
        raise UserError(
            f"model.hub: {source} is not a standard BERT encoder: it lacks {len(missing)} expected "
            f"variables (the first: {missing[0]}); such families are not supported yet"
        )
