"""The audit of an exported model: frozen is what the Hub says, bit by bit, and the rest has trained."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from trainer_module.audit.audit_record import AuditRecord, BlockAudit
from trainer_module.audit.frozen_check import moved_though_frozen, nothing_trained
from trainer_module.audit.plan_in_model import PLAN_IN_MODEL, read_plan
from trainer_module.audit.saved_weights import SavedWeights, Unreadable
from trainer_module.audit.variable_record import Movement, TrainingRecord, VariableRecord, record_variable
from trainer_module.errors import UserError, listed
from trainer_module.freezing.freeze_plan import BlockSummary, FreezePlan, PlannedVariable
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.saved_model_reader import all_finite


def audit(model_dir: str, plan: FreezePlan, hub_model: HubModel, trained: TrainingRecord | None = None) -> AuditRecord:
    """Compares every variable of a plan in an exported model with the Hub model's.

    Both SavedModels are read, neither is run, and no more than one variable of each is in memory at a time.
    Whatever is wrong with the exported model is a problem in the record, not an error.

    Args:
        model_dir: The SavedModel's folder, local or remote.
        plan: That the model was to be trained by.
        hub_model: That it was to be trained from.
        trained: What the Trainer recorded; then the exported values are compared with the trained ones as well.

    Raises:
        UserError: The Hub model can't be read.

    Example:
        >>> record = audit("serving/1700000000", plan, HubModel("models/bert"))    # doctest: +SKIP
        >>> record.verdict, record.problems                                       # doctest: +SKIP
        ('passed', ())
    """
    comparison = _Comparison(plan, hub_model)
    try:
        comparison.compare(SavedWeights(model_dir))
    except Unreadable as error:
        comparison.problems.append(f"the exported model {model_dir} can't be read: {error}")
    problems = [
        *_hub_problems(plan, hub_model),
        *_carried_plan_problems(model_dir, plan),
        *comparison.problems,
        *_training_problems(plan, comparison.records),
        *(_export_problems(plan, comparison.records, trained) if trained else ()),
    ]
    return AuditRecord(
        verdict="failed" if problems else "passed",
        problems=tuple(problems),
        model=model_dir,
        hub=hub_model.handle,
        hub_digest=hub_model.digest,
        plan_digest=plan.digest(),
        frozen_params=plan.frozen_params,
        trainable_params=plan.trainable_params,
        moved_variables=sum(record.moved for record in comparison.records.values()),
        blocks=tuple(comparison.block(block) for block in plan.blocks()),
        variables=tuple(comparison.records.values()),
    )


class _Comparison:
    """The values of one exported model against the Hub's.

    Attributes:
        records: Of the variables that could be compared, by name, in the plan's order.
        problems: With those that couldn't.
    """

    def __init__(self, plan: FreezePlan, hub_model: HubModel) -> None:
        self._plan = plan
        self._planned = {variable.name for variable in plan.variables}
        self._hub_shapes = {variable.name: variable.shape for variable in hub_model.layout.variables}
        self._hub_weights = hub_model.weights
        self._movements: dict[str, Movement] = {}
        self._not_finite: list[str] = []
        self.records: dict[str, VariableRecord] = {}
        self.problems: list[str] = []

    def compare(self, exported: SavedWeights) -> None:
        """Fills `records` and `problems`."""
        self._report("of the plan are missing in the Hub model", self._planned - set(self._hub_shapes))
        self._report("of the Hub model are missing in the plan", set(self._hub_shapes) - self._planned)
        self._report("of the plan are missing in the exported model", self._planned - set(exported.shapes))
        self._report("of the plan are in the exported model more than once", self._planned & exported.repeated)
        for variable in self._plan.variables:
            if variable.name in self._hub_shapes and variable.name in exported.shapes:
                self._compare(variable, exported)
        # There is nothing to compare the task head with, but reading it checks its checksums.
        for name in sorted(set(exported.shapes) - self._planned):
            self._read(exported, name)
        if self._not_finite:
            self.problems.append(f"the exported model has weights that are NaN or infinite: {listed(self._not_finite)}")

    def block(self, block: BlockSummary) -> BlockAudit:
        """What was found in one part of the model."""
        records = [record for record in self.records.values() if record.block == block.name]
        movement = sum((self._movements[record.name] for record in records), Movement())
        return BlockAudit(
            name=block.name,
            parameters=block.parameters,
            frozen_params=block.frozen_params,
            trainable_params=block.parameters - block.frozen_params,
            variables=len(records),
            moved_variables=sum(record.moved for record in records),
            max_abs_change=movement.largest,
            relative_l2_change=movement.relative_l2,
        )

    def _compare(self, variable: PlannedVariable, exported: SavedWeights) -> None:
        name = variable.name
        if exported.shapes[name] != self._hub_shapes[name]:
            self.problems.append(
                f"{name} has shape {exported.shapes[name]} in the exported model, {self._hub_shapes[name]} in the Hub's"
            )
            return
        if exported.dtypes[name] != tf.float32:
            self.problems.append(f"{name} is {exported.dtypes[name].name} in the exported model; it must be float32")
            return
        after = self._read(exported, name)
        if after is not None:
            before = self._hub_weights[name]
            self.records[name], self._movements[name] = record_variable(variable, before, after)

    def _read(self, exported: SavedWeights, name: str) -> np.ndarray | None:
        try:
            value = exported.read(name)
        except Unreadable as error:
            self.problems.append(f"the exported model is damaged: {name} can't be read ({error})")
            return None
        if not all_finite(value):
            self._not_finite.append(name)
        return value

    def _report(self, what: str, names: set[str]) -> None:
        if names:
            self.problems.append(f"{len(names)} variables {what}: {listed(sorted(names))}")


def _hub_problems(plan: FreezePlan, hub_model: HubModel) -> list[str]:
    planned = plan.model.hub_digest
    if not planned or planned == hub_model.digest:
        return []
    return [
        f"the Hub model {hub_model.handle} is not the one that was planned: its content is {hub_model.digest}, "
        f"the plan says {planned}"
    ]


def _carried_plan_problems(model_dir: str, plan: FreezePlan) -> list[str]:
    """Whether the exported model says of itself that it was trained by this plan."""
    try:
        carried = read_plan(model_dir)
    except UserError as error:
        return [f"the plan in the exported model can't be understood: {problem}" for problem in error.problems]
    if carried is None:
        return [f"the exported model carries no plan ({PLAN_IN_MODEL})"]
    problems = []
    if carried.digest() != plan.digest():
        problems.append(f"the exported model was trained by another plan: {_differences(carried, plan)}")
    if carried.model.hub_digest != plan.model.hub_digest:
        problems.append(
            f"the exported model was trained from another Hub model: {carried.model.hub_digest}, "
            f"the plan says {plan.model.hub_digest}"
        )
    return problems


def _differences(carried: FreezePlan, plan: FreezePlan) -> str:
    by_name = {variable.name: variable.trainable for variable in carried.variables}
    differing = [each.name for each in plan.variables if by_name.get(each.name) is not each.trainable]
    if differing:
        return f"it trains other variables; they differ in {listed(differing)}"
    return "it trains the same variables, but at other epochs or learning rates"


def _training_problems(plan: FreezePlan, records: Mapping[str, VariableRecord]) -> list[str]:
    problems = []
    if wrong := moved_though_frozen(records.values()):
        problems.append(f"{len(wrong)} frozen variables differ from the Hub model's: {listed(wrong)}")
    if records and nothing_trained(plan, records.values()):
        problems.append(
            f"nothing was trained: none of {len(plan.trainable_names)} trainable variables differs from the Hub model's"
        )
    return problems


def _export_problems(plan: FreezePlan, records: Mapping[str, VariableRecord], trained: TrainingRecord) -> list[str]:
    """Whether what was exported is what the Trainer had when it ended."""
    if trained.plan_digest != plan.digest():
        return [f"the Trainer trained by another plan: {trained.plan_digest}, not {plan.digest()}"]
    digests = {variable.name: variable.sha256_after for variable in trained.variables}
    differing = [name for name, record in records.items() if record.sha256_after != digests.get(name)]
    if not differing:
        return []
    return [f"{len(differing)} variables are not in the exported model as the Trainer left them: {listed(differing)}"]
