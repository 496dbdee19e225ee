"""`data_gate.json`: what was looked at, and what was found."""

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict
from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact

from components.data_gate.settings import Action


class Finding(BaseModel):
    """One check of one split.

    Attributes:
        check: The key in `[data_gate]`.
        split: `train` or `eval`.
        outcome: `passed`, or the action that is taken.
        value: What was measured; None where that isn't a number.
        limit: What it is held against.
        message: One line for people.
    """

    model_config = ConfigDict(frozen=True)

    check: str
    split: str
    outcome: Literal["passed", "warn", "stop"]
    value: float | None = None
    limit: float | None = None
    message: str


class GateReport(BaseModel):
    """All that DataGate has to say.

    Attributes:
        findings: In the order in which they were made.
        notes: Why something was not compared.
    """

    model_config = ConfigDict(frozen=True)

    findings: list[Finding]
    notes: list[str] = []

    def messages(self, outcome: Action) -> list[str]:
        """Of the findings that end in this."""
        return [finding.message for finding in self.findings if finding.outcome == outcome]

    @property
    def warnings(self) -> list[str]:
        """What the user is to hear of a run that goes on."""
        return self.messages("warn")

    def write(self, artifact: Artifact) -> None:
        """Writes `data_gate.json` into the artifact's folder, and how much there is to say onto the artifact."""
        with fileio.open(report_file(artifact.uri), "w") as stream:
            stream.write(self.model_dump_json(indent=2))
        artifact.set_int_custom_property("warnings", len(self.warnings))
        artifact.set_int_custom_property("notes", len(self.notes))

    @classmethod
    def read(cls, uri: str) -> "GateReport":
        """What `write` wrote."""
        with fileio.open(report_file(uri)) as stream:
            return cls.model_validate_json(stream.read())


def report_file(uri: str) -> str:
    """The file in a DataGateReport artifact."""
    return os.path.join(uri, "data_gate.json")
