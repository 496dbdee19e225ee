"""`rows.json`: what ExampleGen read, kept and dropped, beside the examples it wrote."""

from pydantic import BaseModel
from tfx.dsl.io import fileio

from components.example_gen.spans_read import SpansRead

FILE_NAME = "rows.json"


class Dropped(BaseModel):
    """Rows left out for one reason, and where the first few are."""

    rows: int
    first: list[str]


class InputSummary(BaseModel):
    """What reading one input found.

    Attributes:
        read: Rows read, good or bad.
        dropped: By reason.
        problems: Of whole files, as messages for the user; the rest of such a file was not read.
        missing: How many of the dropped rows don't have a needed column at all.
        present: The columns that these rows have.
    """

    read: int = 0
    dropped: dict[str, Dropped] = {}
    problems: list[str] = []
    missing: dict[str, int] = {}
    present: list[str] = []


class SplitSummary(BaseModel):
    """What was written to one split.

    Attributes:
        rows: Rows kept.
        labels: How often each label occurs; empty for regression, or when there are `too_many_labels`.
        too_many_labels: More distinct labels than are worth counting.
    """

    rows: int = 0
    labels: dict[str, int] = {}
    too_many_labels: bool = False


class RowsReport(BaseModel):
    """What was read, and what became of it.

    Attributes:
        inputs: What was read: `train` and `eval`, or `all`.
        splits: What was written: `train`, `eval`.
        window: The spans that were read; None where the paths hold none.
    """

    inputs: dict[str, InputSummary]
    splits: dict[str, SplitSummary]
    window: SpansRead | None = None

    @property
    def dropped(self) -> int:
        return sum(dropped.rows for summary in self.inputs.values() for dropped in summary.dropped.values())

    def write(self, path: str) -> None:
        with fileio.open(path, "w") as file:
            file.write(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, path: str) -> "RowsReport":
        with fileio.open(path, "r") as file:
            return cls.model_validate_json(file.read())
