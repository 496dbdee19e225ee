"""Freeze rules resolved against one encoder: for each variable, whether it trains and which rule said so."""

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from trainer_module.errors import UserError
from trainer_module.freeze_rules import PARTS, FreezeRule
from trainer_module.layout import EMBEDDINGS, ENCODER, OTHER, POOLER, EncoderLayout, HubVariable, block_name
from trainer_module.validation import describe_validation_error


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlannedModel(_Data):
    """The encoder that a plan was made for."""

    family: str
    blocks: int
    hidden: int
    parameters: int


class PlannedVariable(_Data):
    """What happens to one variable.

    Attributes:
        name: As the Hub model has it.
        block: The part of the model it belongs to; see `layout.HubVariable`.
        trainable: Whether training changes it.
        parameters: How many numbers it holds.
        rule: Zero-based index of the last rule that selects it; none: no rule does, so it trains.
        unused: The head doesn't read it, so it can't train whatever the rules say.
    """

    name: str
    block: str
    trainable: bool
    parameters: int
    rule: int | None
    unused: bool = False


@dataclass(frozen=True)
class BlockSummary:
    """One part of the model in a table.

    Attributes:
        name: `embeddings`, `encoder[i]`, `encoder`, `pooler` or `other`.
        rules: Zero-based indexes of the rules that decided its variables, ascending.
    """

    name: str
    parameters: int
    frozen_params: int
    rules: tuple[int, ...]
    unused: bool

    @property
    def state(self) -> str:
        """`unused`, `frozen`, `partly frozen` or `trains`."""
        if self.unused:
            return "unused"
        if self.frozen_params == self.parameters:
            return "frozen"
        return "partly frozen" if self.frozen_params else "trains"


class FreezePlan(_Data):
    """Which variables of an encoder train. Pure data: JSON out, the same plan in again.

    The task head is no part of it: it always trains.

    Example:
        >>> plan = FreezePlan(
        ...     model=PlannedModel(family="bert", blocks=1, hidden=2, parameters=3),
        ...     rules=(FreezeRule(freeze="bias"),),
        ...     variables=(
        ...         PlannedVariable(name="kernel", block="pooler", trainable=True, parameters=2, rule=None),
        ...         PlannedVariable(name="bias", block="pooler", trainable=False, parameters=1, rule=0)))
        >>> plan.frozen_names, plan.trainable_params
        (('bias',), 2)
        >>> FreezePlan.from_json(plan.to_json()) == plan
        True
    """

    model: PlannedModel
    rules: tuple[FreezeRule, ...]
    variables: tuple[PlannedVariable, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def frozen_params(self) -> int:
        """Parameters that don't train, unused ones included."""
        return sum(variable.parameters for variable in self.variables if not variable.trainable)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def trainable_params(self) -> int:
        return sum(variable.parameters for variable in self.variables if variable.trainable)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def unused_params(self) -> int:
        return sum(variable.parameters for variable in self.variables if variable.unused)

    @classmethod
    def from_json(cls, text: str | bytes) -> "FreezePlan":
        """Reads what `to_json` wrote; the sums in it are counted anew.

        Raises:
            UserError: The text is not a plan.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise UserError(describe_validation_error(error, cls, prefix="freeze plan")) from None

    def to_json(self, indent: int | None = 2) -> str:
        return self.model_dump_json(indent=indent)

    def is_trainable(self, name: str) -> bool:
        """Whether the variable of this name trains.

        Raises:
            KeyError: The plan has no such variable.
        """
        return self._trainable_by_name[name]

    @cached_property
    def _trainable_by_name(self) -> dict[str, bool]:
        return {variable.name: variable.trainable for variable in self.variables}

    @property
    def frozen_names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables if not variable.trainable)

    @property
    def trainable_names(self) -> tuple[str, ...]:
        return tuple(variable.name for variable in self.variables if variable.trainable)

    @property
    def frozen_prefix(self) -> int:
        """How many leading parts give the same output for ever, because nothing in them trains.

        0: the embeddings train; 1: only they are frozen; k + 1: they and the first k blocks are.
        Blocks that can't be told apart count as one.
        """
        trained = {variable.block for variable in self.variables if variable.trainable}
        if OTHER in trained:
            return 0  # Where in the network it takes part isn't known.
        blocks = [block_name(index) for index in range(self.model.blocks)] or [ENCODER]
        if ENCODER in trained:
            trained.update(blocks)
        return sum(1 for _ in takewhile(lambda part: part not in trained, [EMBEDDINGS, *blocks]))

    def digest(self) -> str:
        """SHA-256 over which variables train, as hex digits: equal whenever the plans train the same."""
        decisions = sorted((variable.name, variable.trainable) for variable in self.variables)
        return hashlib.sha256(json.dumps(decisions, separators=(",", ":")).encode()).hexdigest()

    def blocks(self) -> tuple[BlockSummary, ...]:
        """The parts of the model from the input to the output."""
        by_block: dict[str, list[PlannedVariable]] = {}
        for variable in self.variables:
            by_block.setdefault(variable.block, []).append(variable)
        return tuple(_summary(name, by_block[name]) for name in sorted(by_block, key=_block_order))


def make_plan(
    rules: Sequence[FreezeRule], layout: EncoderLayout, unused_blocks: Collection[str] = frozenset()
) -> FreezePlan:
    """Resolves rules against a model: everything trains, then each rule in turn changes what it selects.

    Args:
        unused_blocks: Parts that the head doesn't read, such as `pooler`; they never train.

    Raises:
        UserError: Every rule that selects nothing, addresses blocks that the model doesn't have, repeats what
            holds already or is overridden by later rules altogether; each with what to write instead.
    """
    unused = {variable.name for variable in layout.variables if variable.block in unused_blocks}
    problems: dict[int, str] = {}
    selected: list[frozenset[str]] = []
    for position, rule in enumerate(rules):
        try:
            names = rule.select(layout)
            if not names:
                problems[position] = f"selects no variable of this model; {_what_to_write(rule, layout)}"
        except ValueError as error:
            names = frozenset()
            problems[position] = str(error)
        selected.append(names)
    problems |= _rules_without_effect(rules, selected, unused, unresolved=set(problems))
    if problems:
        raise UserError([f"{_rule_text(rules, position)}: {problems[position]}" for position in sorted(problems)])

    deciding = {name: position for position, names in enumerate(selected) for name in names}

    def planned(variable: HubVariable) -> PlannedVariable:
        position = deciding.get(variable.name)
        wanted = position is None or rules[position].action == "train"
        return PlannedVariable(
            name=variable.name,
            block=variable.block,
            trainable=wanted and variable.name not in unused,
            parameters=variable.parameters,
            rule=position,
            unused=variable.name in unused,
        )

    return FreezePlan(
        model=PlannedModel(
            family=layout.family, blocks=layout.blocks, hidden=layout.hidden, parameters=layout.parameters
        ),
        rules=tuple(rules),
        variables=tuple(planned(variable) for variable in layout.variables),
    )


def _block_order(block: str) -> tuple[int, int]:
    part, _, index = block.removesuffix("]").partition("[")
    return (EMBEDDINGS, ENCODER, POOLER, OTHER).index(part), int(index or -1)


def _summary(name: str, variables: Sequence[PlannedVariable]) -> BlockSummary:
    return BlockSummary(
        name=name,
        parameters=sum(variable.parameters for variable in variables),
        frozen_params=sum(variable.parameters for variable in variables if not variable.trainable),
        rules=tuple(sorted({variable.rule for variable in variables if variable.rule is not None})),
        unused=all(variable.unused for variable in variables),
    )


def _rule_text(rules: Sequence[FreezeRule], position: int) -> str:
    return f"rule {position + 1} `{rules[position]}`"


def _rules_without_effect(
    rules: Sequence[FreezeRule], selected: Sequence[frozenset[str]], unused: set[str], unresolved: set[int]
) -> dict[int, str]:
    """The rules that could be deleted without any variable noticing, with the reason for each.

    A rule that repeats what holds overrides nothing, so of two equal rules only the second is told to go.
    """
    problems: dict[int, str] = {}
    trains: dict[str, bool] = {}
    deciding: dict[str, int] = {}
    effective: list[int] = []
    for position, rule in enumerate(rules):
        if position in unresolved:
            continue
        names = selected[position] - unused
        wanted = rule.action == "train"
        if not names:
            problems[position] = (
                "selects only variables that the task head doesn't read, and these never train; "
                "remove the rule, or choose another pooling"
            )
        elif any(trains.get(name, True) != wanted for name in names):
            effective.append(position)
            trains.update(dict.fromkeys(names, wanted))
            deciding.update(dict.fromkeys(names, position))
        # After a rule that couldn't be resolved it is unknown what held.
        elif not unresolved & set(range(position)):
            problems[position] = _repeats(rules, {deciding[name] for name in names if name in deciding})
    for position in effective:
        overriding = {deciding[name] for name in selected[position] - unused}
        if position not in overriding:
            problems[position] = _overridden(rules, position, overriding)
    return problems


def _repeats(rules: Sequence[FreezeRule], holding: set[int]) -> str:
    if not holding:
        return (
            "repeats what holds anyway: everything trains until a rule freezes it; "
            "remove it, or put it after the rule it should override"
        )
    return f"repeats what {_list_rules(rules, holding)} already did; remove it"


def _overridden(rules: Sequence[FreezeRule], position: int, overriding: set[int]) -> str:
    same = all(rules[other].action == rules[position].action for other in overriding)
    move = "" if same else f", or put it after rule {max(overriding) + 1}"
    return f"is overridden by {_list_rules(rules, overriding)} in everything it selects; remove it{move}"


def _list_rules(rules: Sequence[FreezeRule], positions: set[int]) -> str:
    return " and ".join(_rule_text(rules, position) for position in sorted(positions))


def _what_to_write(rule: FreezeRule, layout: EncoderLayout) -> str:
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
