"""Runs a pipeline on this machine."""

import os
from typing import Literal

from google.protobuf import text_format
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig
from tensorflow_metadata.proto.v0.schema_pb2 import Schema
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from components.example_gen.data_paths import check_paths
from components.example_gen.input_file import kind_problem
from components.example_gen.row_format import quoted
from pipeline.beam_args import local_beam_args
from pipeline.config import PipelineConfig
from pipeline.folders import output_folders, require_folders
from pipeline.killed_runs import clear_killed_runs
from pipeline.metadata_connection import metadata_connection
from pipeline.metadata_store import open_store, user_error_of
from pipeline.pipeline import artifacts_root, create_pipeline
from pipeline.run_lock import run_lock
from pipeline.run_metadata import RunMetadata, forget_lost_artifacts
from pipeline.run_outcome import Outcome
from pipeline.run_record import failure_summary, record_outcome
from pipeline.run_result import RunResult, read_audit, read_result
from pipeline.runners.component_events import ComponentListener, component_events
from pipeline.runners.hidden_password import hidden_password
from pipeline.runners.in_process_beam import in_process_beam
from trainer_module.errors import PassingFailure, UserError
from trainer_module.full_disk import is_full
from trainer_module.preflight import plan_run

Runner = Literal["beam", "local"]

# Characters: one of a thousand columns with long lists of values has a tenth of them.
_LONGEST_SCHEMA = 1 << 25


class ComponentFailed(RuntimeError):
    """A component failed, and not because of a user's mistake.

    Attributes:
        component: Its id.
    """

    def __init__(self, component: str, error: Exception) -> None:
        super().__init__(f"{component} failed: {type(error).__name__}: {error}")
        self.component = component


def run_pipeline(
    config: PipelineConfig, listener: ComponentListener, *, runner: Runner = "beam", log_file: str = ""
) -> RunResult:
    """Runs the pipeline to its end.

    What can be known to be wrong before any component runs is refused before: paths, the Hub model, freeze rules.

    Args:
        config: With absolute paths.
        listener: Hears of each component.
        runner: `beam`: TFX's BeamDagRunner; `local`: its LocalDagRunner, one component after the other.
        log_file: Named in the result.

    Raises:
        UserError: The config, the data or the model is wrong; whatever component found it.
        ComponentFailed: Anything else.
    """
    settings = config.bert_settings()
    _refuse_early(config)
    plan = plan_run(settings)
    settings = settings.model_copy(
        update={
            "hub_digest": plan.model.hub_digest,
            # The same in every run: TFX's cache takes a Trainer with another setting for another one.
            "checkpoint_dir": settings.checkpoint_dir or os.path.join(config.pipeline.root, "checkpoints"),
        }
    )

    metadata = metadata_connection(config)
    with run_lock(config.pipeline.root), hidden_password(metadata):
        store = open_store(metadata)
        clear_killed_runs(store, config.pipeline.name, artifacts_root(config))
        forget_lost_artifacts(store, config.pipeline.name)
        pipeline = create_pipeline(
            config, settings=settings, metadata=metadata, beam_pipeline_args=local_beam_args(config.beam)
        )
        watch = _Watch(listener)
        try:
            with component_events(watch), in_process_beam():
                (BeamDagRunner() if runner == "beam" else LocalDagRunner()).run(pipeline)
            run = RunMetadata(open_store(metadata), config.pipeline.name, watch.run_id)
            run.record_audit(read_audit(run).verdict)
            result = read_result(run, watch.seconds, config.pipeline.root, log_file)
        except (Exception, KeyboardInterrupt) as error:
            failure = _failure(error, watch, metadata)
            mistaken = isinstance(failure, UserError) and not isinstance(failure, PassingFailure)
            outcome: Outcome = "stopped" if mistaken else "failed"
            record_outcome(store, watch.run_id, outcome, failure_summary(failure, watch.failed_component))
            if failure is error:
                raise
            raise failure from (watch.error or error)
        record_outcome(store, watch.run_id, result.outcome, result.to_json())
        return result


def _failure(error: BaseException, watch: "_Watch", metadata: ConnectionConfig) -> BaseException:
    """What the caller is told: what the component itself raised, as Beam passes it on as text only."""
    if isinstance(watch.error, UserError):
        return watch.error
    if (reason := user_error_of(watch.error or error, metadata)) is not None:
        return reason
    if watch.error is None:
        return error
    if is_full(watch.error):
        return UserError(f"{watch.failed_component}: the disk is full; make room, then run again: {watch.error}")
    return ComponentFailed(watch.failed_component, watch.error)


def _refuse_early(config: PipelineConfig) -> None:
    require_folders(output_folders(config))
    check_paths(config.data.train, config.data.eval)
    if config.data.schema_path and "://" not in config.data.schema_path:
        _check_schema(config.data.schema_path, [*config.data.text, config.data.label])


def _check_schema(path: str, columns: list[str]) -> None:
    """Makes sure that the user's schema is one, and knows the columns that the model needs."""
    if problem := kind_problem(path):
        raise UserError(f"data.schema: {path} {problem}")
    schema = Schema()
    try:
        with open(path, encoding="utf-8") as file:
            content = file.read(_LONGEST_SCHEMA + 1)
        if len(content) > _LONGEST_SCHEMA:
            raise UserError(f"data.schema: {path} has more than {_LONGEST_SCHEMA:,} characters, too many for a schema")
        text_format.Parse(content, schema)
    except FileNotFoundError:
        raise UserError(f"data.schema: no such file: {path}") from None
    except OSError as error:
        raise UserError(f"data.schema: {path} cannot be read: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"data.schema: {path} is not a schema in protocol buffers' text format (schema.pbtxt): {error}"
        ) from None
    known = {feature.name for feature in schema.feature}
    if missing := [column for column in columns if column not in known]:
        there = f"its features are: {quoted(sorted(known))}" if known else "it has none"
        raise UserError(f"data.schema: {path} has no feature {quoted(missing)}; {there}")


class _Watch:
    """Passes events on, and keeps what the result needs."""

    def __init__(self, listener: ComponentListener) -> None:
        self._listener = listener
        self.run_id = ""
        self.seconds: dict[str, float] = {}
        self.failed_component = ""
        self.error: Exception | None = None

    def started(self, component: str, run_id: str) -> None:
        self.run_id = run_id
        self._listener.started(component, run_id)

    def ended(self, component: str, seconds: float) -> None:
        self.seconds[component] = seconds
        self._listener.ended(component, seconds)

    def failed(self, component: str, error: Exception) -> None:
        if self.error is None:
            self.failed_component, self.error = component, error
        self._listener.failed(component, error)
