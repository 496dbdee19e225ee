"""What became of each Hub variable: digests before and after training, and how far it moved."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan, PlannedVariable
from trainer_module.validation import describe_validation_error

RECORD_FILE = "variables.json"
"""The Trainer's record, beside the plan in `model_run_dir`."""

_CHUNK = 1 << 20

ReadVariable = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Movement:
    """How far numbers moved. Movements add up to that of all their numbers.

    Attributes:
        max_abs: Largest absolute difference.
        squares: Sum of the squared differences.
        squares_before: Sum of the squares of what the numbers were before.
    """

    max_abs: float = 0.0
    squares: float = 0.0
    squares_before: float = 0.0

    def __add__(self, other: "Movement") -> "Movement":
        return Movement(
            float(np.maximum(self.max_abs, other.max_abs)),  # NaN if either is
            self.squares + other.squares,
            self.squares_before + other.squares_before,
        )

    @property
    def largest(self) -> float | None:
        """Largest absolute difference; None where a number isn't finite."""
        return _finite(self.max_abs)

    @property
    def relative_l2(self) -> float | None:
        """The L2 norm of the difference over that of the numbers before.

        None where that means nothing: all of them were zero before and some no longer are, or one isn't finite.
        """
        if self.squares == 0:
            return 0.0
        return _finite(math.sqrt(self.squares / self.squares_before)) if self.squares_before > 0 else None


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class VariableRecord(_Data):
    """One Hub variable before and after.

    Attributes:
        name: As the Hub model has it.
        block: The part of the model it belongs to; see `layout.HubVariable`.
        trainable: Whether the plan lets it train.
        parameters: How many numbers it holds.
        sha256_before: Of the Hub's values: float32, little-endian, in C order; hex digits.
        sha256_after: Of the trained ones.
        max_abs_change: Largest absolute difference; none where a number isn't finite.
        relative_l2_change: See `Movement.relative_l2`.
    """

    name: str
    block: str
    trainable: bool
    parameters: int
    sha256_before: str
    sha256_after: str
    max_abs_change: float | None
    relative_l2_change: float | None

    @property
    def moved(self) -> bool:
        """Whether any bit differs."""
        return self.sha256_before != self.sha256_after


class TrainingRecord(_Data):
    """What became of every variable of a plan.

    Attributes:
        plan_digest: `FreezePlan.digest()` of the plan that was trained.
        variables: In the plan's order.
    """

    plan_digest: str
    variables: tuple[VariableRecord, ...]

    @classmethod
    def from_json(cls, text: str | bytes) -> "TrainingRecord":
        """Reads what `to_json` wrote.

        Raises:
            UserError: The text is not a record.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise UserError(describe_validation_error(error, cls, prefix=RECORD_FILE)) from None

    def to_json(self, indent: int | None = 2) -> str:
        return self.model_dump_json(indent=indent)


def digest(values: np.ndarray) -> str:
    """SHA-256 of numbers as float32, little-endian, in C order; hex digits.

    Example:
        >>> digest(np.zeros(2)) == hashlib.sha256(bytes(8)).hexdigest()
        True
    """
    return hashlib.sha256(np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8).data).hexdigest()


def movement(before: np.ndarray, after: np.ndarray) -> Movement:
    """How far `after` is from `before`, two arrays of one shape; in float64, little by little to save memory."""
    old, new = before.reshape(-1), after.reshape(-1)
    total = Movement()
    with np.errstate(invalid="ignore"):  # infinity minus infinity; the result then says that it isn't finite
        for start in range(0, old.size, _CHUNK):
            was = old[start : start + _CHUNK].astype(np.float64)
            difference = new[start : start + _CHUNK].astype(np.float64) - was
            total += Movement(float(np.abs(difference).max()), float(difference @ difference), float(was @ was))
    return total


def record_variable(
    variable: PlannedVariable, before: np.ndarray, after: np.ndarray
) -> tuple[VariableRecord, Movement]:
    """The record of one variable, with its movement unrounded so that movements can be added up.

    Args:
        variable: As planned.
        before: The Hub's values, of any float type.
        after: Of the same shape.
    """
    before, after = np.asarray(before, np.float32), np.asarray(after, np.float32)
    moved = movement(before, after)
    record = VariableRecord(
        name=variable.name,
        block=variable.block,
        trainable=variable.trainable,
        parameters=variable.parameters,
        sha256_before=digest(before),
        sha256_after=digest(after),
        max_abs_change=moved.largest,
        relative_l2_change=moved.relative_l2,
    )
    return record, moved


def record_training(plan: FreezePlan, before: ReadVariable, after: ReadVariable) -> TrainingRecord:
    """Records every variable of a plan, one at a time.

    Args:
        plan: That was trained.
        before: Gives the Hub's values by the variable's name.
        after: Gives the trained values.
    """
    records = (record_variable(each, before(each.name), after(each.name))[0] for each in plan.variables)
    return TrainingRecord(plan_digest=plan.digest(), variables=tuple(records))


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
