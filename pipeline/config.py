"""The typed form of a config file: one `PipelineConfig` is one pipeline."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from components.data_gate.settings import DataGateSettings
from components.evaluator.thresholds import default_thresholds
from components.release_gate.limits import ReleaseLimits
from pipeline.absolute_paths import with_hook, with_paths, with_sqlite_path
from pipeline.beam_settings import BeamSettings
from pipeline.data_settings import DataSettings
from pipeline.evaluate_settings import EvaluateSettings, evaluate_problems
from pipeline.kfp_settings import KfpSettings
from pipeline.metadata_settings import MetadataSettings
from pipeline.retrain_settings import RetrainSettings
from pipeline.strict_section import NonEmpty, StrictSection
from pipeline.vertex_settings import VertexEndpoint, VertexSettings
from trainer_module.settings import BertSettings, ModelSettings, TrainSettings
from trainer_module.validation import problem


class PipelineSettings(StrictSection):
    """What the pipeline is called and where it keeps what it makes.

    Attributes:
        name: Of the pipeline in TFX, Vertex and the metadata store.
        root: Folder (local, or a URL such as gs://…) of artifacts, metadata and logs.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    root: NonEmpty


class PushSettings(StrictSection):
    """Where a blessed model goes.

    Attributes:
        directory: A folder that gets one numbered folder per pushed model, as TensorFlow Serving reads it.
        keep_versions: How many of these stay, the newest ones; default: all.
        vertex: Where a pipeline that runs on Vertex AI deploys to an endpoint instead; needs `[vertex]`.
    """

    directory: NonEmpty
    keep_versions: Annotated[int, Field(ge=1)] | None = None
    vertex: VertexEndpoint | None = None


class PipelineConfig(StrictSection):
    """All of a config file. `config_file.load_config` reads one.

    Raises:
        ValidationError: Pydantic's; holds all the problems that were found.

    Example:
        >>> config = PipelineConfig.model_validate({
        ...     "pipeline": {"name": "mine", "root": "runs/mine"},
        ...     "data": {"train": "rows.csv", "text": ["body"], "label": "topic"},
        ...     "model": {"hub": "models/bert"}})
        >>> config.push.directory
        'runs/mine/serving'
        >>> config.evaluate.thresholds["accuracy"].no_worse_than_live_by
        0.0
    """

    # The order matters: a check of one section sees only the sections above it.
    pipeline: PipelineSettings
    data: DataSettings
    model: ModelSettings
    data_gate: DataGateSettings = DataGateSettings()
    train: TrainSettings = TrainSettings()
    evaluate: EvaluateSettings = Field(default={}, validate_default=True)
    release_gate: ReleaseLimits = ReleaseLimits()
    vertex: VertexSettings | None = None
    kfp: KfpSettings | None = None
    beam: BeamSettings | None = None
    metadata: MetadataSettings = MetadataSettings()
    push: PushSettings = Field(default=None, validate_default=True)
    retrain: RetrainSettings = RetrainSettings()

    @field_validator("evaluate", mode="wrap")
    @classmethod
    def _check_evaluate(cls, given: Any, handler: Any, info: ValidationInfo) -> EvaluateSettings:
        """Adds the problems that only the other sections can tell to its own, so that all come at once."""
        plain = given.model_dump(exclude_unset=True) if isinstance(given, EvaluateSettings) else given
        task = info.data["model"].task if "model" in info.data else None
        columns = info.data["data"].columns if "data" in info.data else None
        problems = list(evaluate_problems(plain, task, columns))
        try:
            section: EvaluateSettings = handler(given)
        except ValidationError as error:
            own: list[Any] = error.errors(include_url=False)
            problems = [*own, *problems]
        if problems:
            raise ValidationError.from_exception_data("evaluate", problems)
        if section.thresholds:
            return section
        return section.model_copy(update={"thresholds": default_thresholds(task)})

    @field_validator("beam")
    @classmethod
    def _check_beam(cls, beam: BeamSettings | None, info: ValidationInfo) -> BeamSettings | None:
        # A section [vertex] with problems of its own counts as there.
        with_vertex = "vertex" not in info.data or info.data["vertex"] is not None
        missing = beam.missing(with_vertex=with_vertex) if beam else {}
        if missing:
            raise ValidationError.from_exception_data(
                "beam", [problem((key,), message, None) for key, message in missing.items()]
            )
        return beam

    @field_validator("push", mode="before")
    @classmethod
    def _push_beside_the_run(cls, given: Any, info: ValidationInfo) -> Any:
        root = info.data["pipeline"].root if "pipeline" in info.data else ""
        if given is None:
            return PushSettings(directory=os.path.join(root, "serving"))
        if isinstance(given, Mapping) and given.keys() & {"keep_versions", "vertex"} and "directory" not in given:
            return {"directory": os.path.join(root, "serving"), **given}
        return given

    @field_validator("push")
    @classmethod
    def _refuse_endpoint_without_vertex(cls, push: PushSettings, info: ValidationInfo) -> PushSettings:
        if push.vertex is not None and info.data.get("vertex", ...) is None:
            message = "needs a section [vertex]: only a pipeline that runs there can deploy to an endpoint"
            raise ValidationError.from_exception_data("push", [problem(("vertex",), message, None)])
        return push

    def bert_settings(self) -> BertSettings:
        """What goes into `custom_config["bert"]`; of model and train only what was set, to keep it small."""
        sections: dict[str, Any] = {"text": self.data.text, "label": self.data.label}
        for section in (self.model, self.train):
            sections |= section.model_dump(mode="json", exclude_unset=True)
        return BertSettings.model_validate(sections)

    def resolve_paths(self, folder: Path) -> "PipelineConfig":
        """A copy in which every relative path is taken from `folder`. See `absolute_path`."""
        return self.model_copy(
            update={
                "pipeline": with_paths(self.pipeline, folder, "root"),
                "data": with_paths(
                    self.data, folder, "train", *(["eval"] if self.data.eval_path else []), "schema_path"
                ),
                "model": with_paths(self.model, folder, "hub", "preprocess", "vocab"),
                "train": with_paths(self.train, folder, "prefix_cache_dir", "checkpoint_dir"),
                "vertex": self.vertex and with_paths(self.vertex, folder, "staging_root"),
                "kfp": self.kfp and with_paths(self.kfp, folder, "pipeline_root"),
                "metadata": with_sqlite_path(self.metadata, folder),
                "push": with_paths(self.push, folder, "directory"),
                "retrain": with_hook(self.retrain, folder),
            }
        )
