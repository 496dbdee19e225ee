"""What ReleaseGate found, as data, a file and custom properties."""

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict
from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact

_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class Check(BaseModel):
    """One thing that was looked at.

    Attributes:
        name: What.
        measured: A number of the unit that the name gives; None where there is none.
        limit: What it may be at most.
        problems: What is wrong, in plain words; none: the check is passed.
    """

    model_config = _CONFIG

    name: str
    measured: float | None = None
    limit: float | None = None
    problems: list[str] = []


class ReleaseReport(BaseModel):
    """Of one exported model.

    Attributes:
        verdict: `passed` exactly when no check has a problem.
        checks: All that were made; after a model that can't be loaded, none of its answers.
        model: The model's folder.
        load_seconds: How long loading it took.
        tensorflow: The version that loaded it.
    """

    model_config = _CONFIG

    verdict: Literal["passed", "failed"]
    checks: list[Check]
    model: str
    load_seconds: float | None = None
    tensorflow: str = ""

    @property
    def problems(self) -> list[str]:
        """Of all checks."""
        return [problem for check in self.checks for problem in check.problems]


def report_file(uri: str) -> str:
    """The report's place in its artifact."""
    return os.path.join(uri, "report.json")


def write_report(report: ReleaseReport, artifact: Artifact) -> None:
    """Writes the file, and onto the artifact the custom properties `verdict` and, as text, `problems`."""
    with fileio.open(report_file(artifact.uri), "w") as stream:
        stream.write(report.model_dump_json(indent=1) + "\n")
    artifact.set_string_custom_property("verdict", report.verdict)
    artifact.set_string_custom_property("problems", "; ".join(report.problems))
