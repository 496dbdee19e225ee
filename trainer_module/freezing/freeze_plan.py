"""Freeze rules resolved against one encoder: for each variable, whether it trains and which rule said so."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, ValidationError, computed_field

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_rules import Decision, FreezeRule
from trainer_module.freezing.rule_resolution import select_variables
from trainer_module.hub.layout import EMBEDDINGS, ENCODER, OTHER, POOLER, EncoderLayout, HubVariable, block_name
from trainer_module.validation import describe_validation_error


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlannedModel(_Data):
    """The encoder that a plan was made for.

    Attributes:
        hub: The handle it was read from; empty when the plan was made of a layout alone.
        hub_digest: `sha256:…` of its content; empty likewise.
    """

    family: str
    blocks: int
    hidden: int
    parameters: int
    hub: str = ""
    hub_digest: str = ""


class PlannedVariable(_Data):
    """What happens to one variable.

    Attributes:
        name: As the Hub model has it.
        block: The part of the model it belongs to; see `layout.HubVariable`.
        trainable: Whether training changes it, be it in later epochs only.
        parameters: How many numbers it holds.
        rule: Zero-based index of the last rule that selects it; none: no rule does, so it trains.
        unused: The head doesn't read it, so it can't train whatever the rules say.
        until_epoch: The last epoch, counted from 1, in which it is frozen although it is trainable; none: it trains
            from the first epoch on, or never.
        lr: What its learning rate is multiplied with; 1 when it never trains.
    """

    name: str
    block: str
    trainable: bool
    parameters: int
    rule: int | None
    unused: bool = False
    until_epoch: int | None = None
    lr: float = 1.0


@dataclass(frozen=True)
class BlockSummary:
    """One part of the model in a table.

    Attributes:
        name: `embeddings`, `encoder[i]`, `encoder`, `pooler` or `other`.
        frozen_params: Parameters that never train.
        rules: Zero-based indexes of the rules that decided its variables, ascending.
        thawing_params: Parameters that train in later epochs only.
        until_epochs: The last epochs, counted from 1, in which some of those are frozen, ascending.
        lrs: What the learning rates of those that train are multiplied with, ascending.
    """

    name: str
    parameters: int
    frozen_params: int
    rules: tuple[int, ...]
    unused: bool
    thawing_params: int = 0
    until_epochs: tuple[int, ...] = ()
    lrs: tuple[float, ...] = (1.0,)

    @property
    def state(self) -> str:
        """`unused`, `frozen`, or how it trains.

        Such as `trains`, `trains at 0.1`, `partly frozen`, `frozen until epoch 2`, or several of these.
        """
        if self.unused:
            return "unused"
        if self.frozen_params == self.parameters:
            return "frozen"
        said = ["partly frozen"] if self.frozen_params else []
        if self.until_epochs:
            if self.frozen_params + self.thawing_params < self.parameters:
                share = "partly" if self.frozen_params else "partly frozen"
            else:
                share = "the rest" if self.frozen_params else "frozen"
            said.append(f"{share} until epoch {' or '.join(map(str, self.until_epochs))}")
        if self.lrs != (1.0,):
            said.append(f"trains at {' to '.join(f'{lr:g}' for lr in sorted({self.lrs[0], self.lrs[-1]}))}")
        return ", ".join(said) or "trains"


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
        """Parameters that never train, unused ones included."""
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
        """Whether the variable of this name trains, be it in later epochs only.

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
    def stages(self) -> tuple[int, ...]:
        """The zero-based epochs at which the set of training variables changes, ascending; 0 is the first."""
        return tuple(sorted({0, *(v.until_epoch for v in self.variables if v.until_epoch is not None)}))

    def trains_in(self, epoch: int) -> frozenset[str]:
        """The names of the variables that train in this zero-based epoch."""
        return frozenset(v.name for v in self.variables if v.trainable and (v.until_epoch or 0) <= epoch)

    @property
    def frozen_prefix(self) -> int:
        """How many leading parts give the same output for ever, because nothing in them ever trains.

        0: the embeddings train; 1: only they are frozen; k + 1: they and the first k blocks are.
        Blocks that can't be told apart count as one.
        """
        return self.frozen_prefix_in(self.stages[-1])

    def frozen_prefix_in(self, epoch: int) -> int:
        """`frozen_prefix` as far as this zero-based epoch goes: later ones may train more."""
        names = self.trains_in(epoch)
        trained = {variable.block for variable in self.variables if variable.name in names}
        if OTHER in trained:
            return 0  # Where in the network it takes part isn't known.
        blocks = [block_name(index) for index in range(self.model.blocks)] or [ENCODER]
        if ENCODER in trained:
            trained.update(blocks)
        return sum(1 for _ in takewhile(lambda part: part not in trained, [EMBEDDINGS, *blocks]))

    def digest(self) -> str:
        """SHA-256 over which variables train, when and how fast, as hex digits.

        Equal whenever the plans train the same way.
        """
        decisions = sorted((v.name, v.trainable, v.until_epoch, v.lr) for v in self.variables)
        return hashlib.sha256(json.dumps(decisions, separators=(",", ":")).encode()).hexdigest()

    def blocks(self) -> tuple[BlockSummary, ...]:
        """The parts of the model from the input to the output."""
        by_block: dict[str, list[PlannedVariable]] = {}
        for variable in self.variables:
            by_block.setdefault(variable.block, []).append(variable)
        return tuple(_summary(name, by_block[name]) for name in sorted(by_block, key=_block_order))


def make_plan(
    rules: Sequence[FreezeRule],
    layout: EncoderLayout,
    unused_blocks: Collection[str] = frozenset(),
    multipliers: Mapping[str, float] = MappingProxyType({}),
    epochs: int | None = None,
) -> FreezePlan:
    """Resolves rules against a model: everything trains, then each rule in turn changes what it selects.

    Args:
        unused_blocks: Parts that the head doesn't read, such as `pooler`; they never train.
        multipliers: Of the learning rate, by part of the model; they multiply with the rules' `lr`. Default: 1.
        epochs: Of the training, where that is known.

    Raises:
        UserError: Rules that don't fit the model, are of no use, or freeze until training has ended; all of them,
            each with what to write instead. See `rule_resolution`.
    """
    unused = {variable.name for variable in layout.variables if variable.block in unused_blocks}
    selected = select_variables(rules, layout, unused, epochs)
    deciding = {name: position for position, names in enumerate(selected) for name in names}

    def planned(variable: HubVariable) -> PlannedVariable:
        position = deciding.get(variable.name)
        decision = Decision() if position is None else rules[position].decision
        if variable.name in unused:
            decision = Decision(trainable=False)
        return PlannedVariable(
            name=variable.name,
            block=variable.block,
            trainable=decision.trainable,
            parameters=variable.parameters,
            rule=position,
            unused=variable.name in unused,
            until_epoch=decision.until_epoch,
            lr=decision.lr * multipliers.get(variable.block, 1.0) if decision.trainable else 1.0,
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
        thawing_params=sum(variable.parameters for variable in variables if variable.until_epoch is not None),
        until_epochs=tuple(sorted({v.until_epoch for v in variables if v.until_epoch is not None})),
        lrs=tuple(sorted({variable.lr for variable in variables if variable.trainable})) or (1.0,),
        rules=tuple(sorted({variable.rule for variable in variables if variable.rule is not None})),
        unused=all(variable.unused for variable in variables),
    )
