"""What runs put out, and what became of them: one `run.json` per run, in the place of the service's metadata store."""

import json
import os
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from pydantic import BaseModel, Field, ValidationError

from trainer_module.errors import UserError

RUN_FILE = "run.json"

StepState = Literal["RUNNING", "SUCCEEDED", "FAILED"]
ArtifactState = Literal["PENDING", "LIVE", "ABANDONED"]


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(timezone.utc)


class Artifact(BaseModel):
    """What one step put out under one key.

    Attributes:
        name: Unique under the root.
        title: Of its type, e.g. `tfx.Model`.
        type: The type as the pipeline's spec has it.
        uri: Where it lies.
        state: PENDING while its step runs, LIVE when that succeeded, ABANDONED when it failed.
        metadata: Its properties.
        created: When its step started.
    """

    name: str
    title: str
    type: dict[str, str]
    uri: str
    state: ArtifactState = "PENDING"
    metadata: dict[str, Any] = Field(default_factory=dict)
    created: datetime = Field(default_factory=now)

    @property
    def is_lost(self) -> bool:
        """Whether it was removed from this machine since."""
        return "://" not in self.uri and not os.path.exists(self.uri)


class Step(BaseModel):
    """A task of one run.

    Attributes:
        inputs: The names of the artifacts that it was given, by key.
        parameters: The values that it was given.
        outputs: By key.
        output_parameters: By key.
    """

    task: str
    state: StepState = "RUNNING"
    started: datetime = Field(default_factory=now)
    ended: datetime | None = None
    inputs: dict[str, list[str]] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)
    outputs: dict[str, list[Artifact]] = Field(default_factory=dict)
    output_parameters: dict[str, Any] = Field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took; 0 when it didn't end."""
        return (self.ended - self.started).total_seconds() if self.ended else 0.0


class Run(BaseModel):
    """One run of a pipeline; a state RUNNING that never ends means that it was killed."""

    pipeline: str
    run_id: str
    state: StepState = "RUNNING"
    started: datetime = Field(default_factory=now)
    ended: datetime | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    steps: list[Step] = Field(default_factory=list)

    def step(self, task: str) -> Step:
        """The step of this task, which has run."""
        return next(step for step in self.steps if step.task == task)


class ArtifactStore:
    """The runs of one pipeline under a root.

    Args:
        root: A folder of this machine; it needn't exist.
        pipeline: The pipeline's name: another's runs aren't seen.

    Attributes:
        root: As an absolute path.

    Example:
        >>> store = ArtifactStore(Path("runs"), "quickstart")                     # doctest: +SKIP
        >>> [each.uri for each in store.live_artifacts() if each.title == "tfx.Model"]  # doctest: +SKIP
    """

    def __init__(self, root: Path, pipeline: str) -> None:
        self.root = root.absolute()
        self._folder = self.root / pipeline

    def new_run(self, parameters: dict[str, Any]) -> Run:
        """A run that has just begun, with a folder of its own."""
        stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
        for number in range(1, 1000):
            run_id = stamp if number == 1 else f"{stamp}-{number}"
            try:
                (self._folder / run_id).mkdir(parents=True)
            except FileExistsError:  # another run began within this second
                continue
            run = Run(pipeline=self._folder.name, run_id=run_id, parameters=parameters)
            self.save(run)
            return run
        raise RuntimeError(f"{self._folder}: a thousand runs began in one second")

    def run_folder(self, run: Run) -> Path:
        """Where the run keeps all that is its own."""
        return self._folder / run.run_id

    def save(self, run: Run) -> None:
        """Writes a run's record, whole or not at all."""
        folder = self.run_folder(run)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{RUN_FILE}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(run.model_dump(mode="json"), file, indent=2, sort_keys=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, folder / RUN_FILE)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def runs(self) -> list[Run]:
        """All runs, the latest first.

        Raises:
            UserError: A record was changed by hand and can't be read any more.
        """
        runs = [_read_run(file) for file in self._folder.glob(f"*/{RUN_FILE}")]
        return sorted(runs, key=lambda run: (run.started, run.run_id), reverse=True)

    def live_artifacts(self) -> list[Artifact]:
        """What steps that succeeded have put out and what is still there; the latest first."""
        outputs = [
            artifact
            for run in self.runs()
            for step in reversed(run.steps)
            for artifacts in step.outputs.values()
            for artifact in artifacts
        ]
        # An imported artifact, or one that a resolver found, is in several records: its own was the first.
        unique = {artifact.name: artifact for artifact in outputs if artifact.state == "LIVE" and not artifact.is_lost}
        return sorted(unique.values(), key=lambda artifact: artifact.created, reverse=True)


def artifact_title(type_schema: pb.ArtifactTypeSchema) -> str:
    """The type's name, wherever the schema says it."""
    if type_schema.WhichOneof("kind") == "instance_schema":
        content = yaml.safe_load(type_schema.instance_schema)
        title = content.get("title") if isinstance(content, dict) else None
        return str(title or "tfx.Artifact")
    return str(type_schema.schema_title)


def new_artifact(name: str, type_schema: pb.ArtifactTypeSchema, uri: str, metadata: dict[str, Any]) -> Artifact:
    """An artifact that is still to be made."""
    return Artifact(
        name=name,
        title=artifact_title(type_schema),
        type=json_format.MessageToDict(type_schema),
        uri=uri,
        metadata=metadata,
    )


def _read_run(file: Path) -> Run:
    try:
        return Run.model_validate_json(file.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"{file}: is not the record of a run{f' ({where}: ' if where else ' ('}{first['msg']}); restore it, or "
            f"remove the run: {file.parent}"
        ) from None
