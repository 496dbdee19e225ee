"""The typed form of a config file: one `PipelineConfig` is one pipeline."""

import datetime
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails

from components.data_gate.settings import DataGateSettings
from components.evaluator.slice_thresholds import SliceThreshold, slice_threshold_problems
from components.evaluator.thresholds import Threshold, default_thresholds, threshold_problems
from components.example_gen.spans import (
    LAST_DATE,
    LATEST,
    NEWEST,
    eval_problem,
    has_span,
    is_dated,
    no_place,
    path_problems,
    span_of,
    window_problem,
)
from components.release_gate.limits import ReleaseLimits
from pipeline.beam_settings import BeamSettings
from pipeline.kfp_settings import KfpSettings
from pipeline.metadata_settings import SQLITE, MetadataSettings
from pipeline.retrain_settings import RetrainSettings
from pipeline.strict_section import NonEmpty, StrictSection
from pipeline.vertex_settings import VertexEndpoint, VertexSettings
from trainer_module.settings import BertSettings, ColumnName, ModelSettings, TrainSettings
from trainer_module.validation import problem

_Section = TypeVar("_Section", bound=BaseModel)


class PipelineSettings(StrictSection):
    """What the pipeline is called and where it keeps what it makes.

    Attributes:
        name: Of the pipeline in TFX, Vertex and the metadata store.
        root: Folder (local, or a URL such as gs://…) of artifacts, metadata and logs.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    root: NonEmpty


class DataSettings(StrictSection):
    """The rows: where they are, how they are written, and which columns count.

    Attributes:
        train: File, folder or glob. `{SPAN}` (or `{SPAN:3}`, for three digits) in it, or `{YYYY}`, `{MM}` and `{DD}`,
            stands for a number or day that names one delivery of rows; `{VERSION}` for its corrections.
        eval: The same for the rows to evaluate on, read for the same spans; or `newest`, to hold out the newest span of
            the window; without it `eval_fraction` of `train` (of each span) is held out.
        span: The newest span to read: a number, or a date such as `2026-11-27`; default: the newest that there is.
        window: How many spans to read, up to that one.
        on_missing_span: Whether a span of the window that has no files fails the run, or is warned of. The newest fails
            it in any case.
        eval_fraction: Share of `train` that is held out, by a hash of the row; unused where `eval` is given.
        format: `csv` or `tfrecord`; default: what the ending of `train` says.
        columns: Names, only for CSV files that have no header row.
        delimiter: Between CSV fields; `"\\t"` for TSV.
        quoting: `none` where a double quote is a character like any other.
        encoding: Of CSV files, as Python names it.
        text: One column, or two for sentence pairs.
        label: The column to predict.
        on_bad_rows: Whether rows without text or label are dropped with a warning, or fail the run.
        schema_path: A schema.pbtxt to use instead of an inferred one; its key in the file is `schema`.
    """

    # The order matters: a check of one key sees only the keys above it.
    train: NonEmpty
    eval: NonEmpty | None = None
    span: Annotated[int, Field(ge=0)] | None = None
    window: Annotated[int, Field(ge=1, le=10_000, validate_default=True)] = 1
    on_missing_span: Literal["fail", "warn"] = "fail"
    eval_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    format: Literal["csv", "tfrecord"] = Field(default="", validate_default=True)
    columns: Annotated[list[ColumnName], Field(min_length=1)] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoting: Literal["minimal", "none"] = "minimal"
    encoding: str = "utf-8"
    text: list[ColumnName] = Field(min_length=1, max_length=2)
    label: ColumnName
    on_bad_rows: Literal["drop", "fail"] = "drop"
    schema_path: NonEmpty | None = Field(default=None, alias="schema")

    @property
    def eval_path(self) -> str | None:
        """Where the rows to evaluate on are; None where they are some of `train`'s."""
        return None if self.eval == NEWEST else self.eval

    @property
    def span_to_read(self) -> int | None:
        """What ExampleGen is told; None where the paths hold no spans."""
        if not has_span(self.train):
            return None
        return LATEST if self.span is None else self.span

    @field_validator("train", "eval")
    @classmethod
    def _check_placeholders(cls, value: str | None) -> str | None:
        if problems := path_problems(value or ""):
            raise ValueError("\n".join(problems))
        return value

    @field_validator("eval")
    @classmethod
    def _refuse_span_in_one(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "train" in info.data and (found := eval_problem(info.data["train"], value)):
            raise ValueError(found)
        return value

    @field_validator("span", mode="before")
    @classmethod
    def _read_date(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool | int | float | None):
            return value
        try:
            date = datetime.date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            date = None
        if type(date) is not datetime.date:  # a datetime is one too, but names no day
            raise ValueError(f"must be a number, or a date such as 2026-11-27; given {value!r}")
        train = info.data.get("train", "")
        if has_span(train) and not is_dated(train):
            raise ValueError(f"must be a number, as data.train has {{SPAN}} in it; given the date {date}")
        return span_of(date)

    @field_validator("span", "on_missing_span")
    @classmethod
    def _refuse_without_spans(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and not has_span(info.data.get("train", "{SPAN}")):
            raise ValueError(no_place(info.data["train"]))
        return value

    @field_validator("span")
    @classmethod
    def _refuse_beyond_dates(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and is_dated(info.data.get("train", "")) and value > span_of(LAST_DATE):
            raise ValueError(f"is no day: {value} days after 1970-01-01; write a date such as 2026-11-27")
        return value

    @field_validator("window")
    @classmethod
    def _refuse_window(cls, value: int, info: ValidationInfo) -> int:
        if "train" in info.data and (found := window_problem(info.data["train"], info.data.get("eval"), value)):
            raise ValueError(found)
        return value

    @field_validator("eval_fraction")
    @classmethod
    def _refuse_two_evals(cls, value: float, info: ValidationInfo) -> float:
        if info.data.get("eval") is not None:
            raise ValueError("only splits `train` where data.eval is not given; remove one of the two")
        return value

    @field_validator("format", mode="before")
    @classmethod
    def _read_ending(cls, value: Any, info: ValidationInfo) -> Any:
        if value != "":
            return value
        return "tfrecord" if info.data.get("train", "").endswith((".tfrecord", ".tfrecord.gz")) else "csv"

    @field_validator("delimiter", mode="before")
    @classmethod
    def _read_escaped_tab(cls, value: Any) -> Any:
        # A shell hands over --set data.delimiter='\t' as a backslash and a t.
        return "\t" if value == "\\t" else value

    @field_validator("columns", "delimiter", "quoting", "encoding")
    @classmethod
    def _refuse_for_tfrecord(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("format") == "tfrecord":
            raise ValueError("says how CSV files are written, but data.format is 'tfrecord'; remove it")
        return value

    @field_validator("delimiter")
    @classmethod
    def _refuse_quote_and_newline(cls, value: str) -> str:
        if value in '"\r\n':
            raise ValueError(f"cannot be a quote or a line break; given {value!r}")
        return value

    @field_validator("encoding")
    @classmethod
    def _refuse_unknown_encoding(cls, value: str) -> str:
        try:
            "a".encode(value)
        except (LookupError, ValueError):
            known = "'utf-8' or 'latin-1'"
            raise ValueError(f"is not a text encoding such as {known}; given {value!r}") from None
        return value

    @field_validator("columns", "text")
    @classmethod
    def _refuse_repeats(cls, value: list[str] | None) -> list[str] | None:
        repeated = sorted({name for name in value or [] if (value or []).count(name) > 1})
        if repeated:
            raise ValueError(f"names {_quoted(repeated)} twice; given {value!r}")
        return value

    @field_validator("text")
    @classmethod
    def _find_text(cls, value: list[str], info: ValidationInfo) -> list[str]:
        columns = info.data.get("columns")
        missing = [name for name in value if columns and name not in columns]
        if columns and missing:
            raise ValueError(_no_column(missing, columns))
        return value

    @field_validator("label")
    @classmethod
    def _find_label(cls, value: str, info: ValidationInfo) -> str:
        columns = info.data.get("columns")
        if columns and value not in columns:
            raise ValueError(_no_column([value], columns))
        if value in info.data.get("text", []):
            raise ValueError(f"{value!r} is also a text column; the model would read the answer")
        return value


class EvaluateSettings(StrictSection):
    """How a model is measured and what it must reach.

    Attributes:
        slices: Metrics are also given per value of these columns, or combination of several.
        thresholds: By metric name, see `components.evaluator.thresholds`. Default: accuracy (or mse) no worse than the
            live model's.
        minimum_examples: With fewer evaluation rows no model is blessed.
        slice_thresholds: Thresholds on some of the rows; see `components.evaluator.slice_thresholds`.
    """

    slices: list[Annotated[list[ColumnName], Field(min_length=1)]] = Field(default=[])
    thresholds: dict[str, Threshold] = Field(default={})
    minimum_examples: Annotated[int, Field(ge=1)] | None = None
    slice_thresholds: list[SliceThreshold] = Field(default=[])


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
        problems = [
            *_slice_problems(plain, columns),
            *threshold_problems(_table(plain).get("thresholds"), task),
            *slice_threshold_problems(_table(plain).get("slice_thresholds"), task),
        ]
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
        if _table(given).keys() & {"keep_versions", "vertex"} and "directory" not in given:
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
                "pipeline": _with_paths(self.pipeline, folder, "root"),
                "data": _with_paths(
                    self.data, folder, "train", *(["eval"] if self.data.eval_path else []), "schema_path"
                ),
                "model": _with_paths(self.model, folder, "hub", "preprocess", "vocab"),
                "train": _with_paths(self.train, folder, "prefix_cache_dir", "checkpoint_dir"),
                "vertex": self.vertex and _with_paths(self.vertex, folder, "staging_root"),
                "kfp": self.kfp and _with_paths(self.kfp, folder, "pipeline_root"),
                "metadata": _with_sqlite_path(self.metadata, folder),
                "push": _with_paths(self.push, folder, "directory"),
                "retrain": _with_hook(self.retrain, folder),
            }
        )


def absolute_path(path: str, folder: Path) -> str:
    """`path` taken from `folder`, with `~` expanded; URLs (https://, gs://, hdfs:// …) stay as they are.

    Example:
        >>> absolute_path("../data/*.csv", Path("/project/configs"))
        '/project/data/*.csv'
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        return path
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _with_paths(section: BaseModel, folder: Path, *keys: str) -> BaseModel:
    given = {key: getattr(section, key) for key in keys if getattr(section, key) is not None}
    return section.model_copy(update={key: absolute_path(path, folder) for key, path in given.items()})


def _with_hook(retrain: RetrainSettings, folder: Path) -> RetrainSettings:
    """A command without a slash is looked up on the PATH."""
    if not retrain.hook or "/" not in retrain.hook[0]:
        return retrain
    return retrain.model_copy(update={"hook": [absolute_path(retrain.hook[0], folder), *retrain.hook[1:]]})


def _with_sqlite_path(section: MetadataSettings, folder: Path) -> MetadataSettings:
    if section.sqlite_path is None:
        return section
    return section.model_copy(update={"uri": f"{SQLITE}:///{absolute_path(section.sqlite_path, folder)}"})


def _slice_problems(evaluate: Any, columns: list[str] | None) -> Iterator[InitErrorDetails]:
    """Slices on columns that the data is known not to have. Wrong types are left to pydantic."""
    if columns is None:
        return
    slices, thresholds = (_list(_table(evaluate).get(key)) for key in ("slices", "slice_thresholds"))
    named: list[tuple[tuple[str | int, ...], Any]] = [(("slices", index), names) for index, names in enumerate(slices)]
    for index, threshold in enumerate(thresholds):
        table = _table(threshold)
        named += [(("slice_thresholds", index, key), table[key]) for key in ("slice", "columns") if key in table]
    for path, names in named:
        missing = [name for name in names if name not in columns] if isinstance(names, list | Mapping) else []
        if missing:
            yield problem(path, _no_column(missing, columns), names)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _no_column(missing: list[str], columns: list[str]) -> str:
    return f"there is no column {_quoted(missing)}; data.columns names {_quoted(columns)}"


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
