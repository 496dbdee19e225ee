"""What an audit found: pure data, JSON out and in."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer_module.audit.variable_record import VariableRecord
from trainer_module.errors import UserError
from trainer_module.validation import describe_validation_error

Verdict = Literal["passed", "failed"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class BlockAudit(_Data):
    """One part of the model.

    Attributes:
        name: `embeddings`, `encoder[i]`, `encoder`, `pooler` or `other`.
        parameters: How many numbers it holds.
        frozen_params: How many of them the plan froze.
        trainable_params: How many it let train.
        variables: How many variables were compared.
        moved_variables: How many of these differ from the Hub's.
        max_abs_change: Largest absolute difference of any number; none where one isn't finite.
        relative_l2_change: L2 norm of the difference over that of the Hub's numbers; see `Movement.relative_l2`.
    """

    name: str
    parameters: int
    frozen_params: int
    trainable_params: int
    variables: int
    moved_variables: int
    max_abs_change: float | None
    relative_l2_change: float | None

    @property
    def moved_by(self) -> str:
        """`relative_l2_change` for people."""
        return self._shown(self.relative_l2_change)

    @property
    def largest_change(self) -> str:
        """`max_abs_change` for people."""
        return self._shown(self.max_abs_change)

    def _shown(self, change: float | None) -> str:
        return "unknown" if change is None or not self.variables else f"{change:.3g}"


class AuditRecord(_Data):
    """An exported model compared with the Hub model that it was trained from.

    Attributes:
        verdict: `passed` exactly when there are no problems.
        problems: In plain words.
        model: The SavedModel's folder.
        hub: The Hub model's handle.
        hub_digest: `sha256:…` of its content at the time of the audit.
        plan_digest: `FreezePlan.digest()` of the plan that was checked.
        frozen_params: By the plan.
        trainable_params: By the plan; the task head is no part of it.
        moved_variables: How many differ from the Hub's.
        blocks: From the input to the output.
        variables: Each that could be compared; before is the Hub's value, after the exported one.
    """

    verdict: Verdict
    problems: tuple[str, ...]
    model: str
    hub: str
    hub_digest: str
    plan_digest: str
    frozen_params: int
    trainable_params: int
    moved_variables: int
    blocks: tuple[BlockAudit, ...]
    variables: tuple[VariableRecord, ...]

    @classmethod
    def from_json(cls, text: str | bytes) -> "AuditRecord":
        """Reads what `to_json` wrote.

        Raises:
            UserError: The text is not an audit's record.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise UserError(describe_validation_error(error, cls, prefix="freeze audit")) from None

    def to_json(self, indent: int | None = 2) -> str:
        return self.model_dump_json(indent=indent)
