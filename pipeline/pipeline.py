"""From a config to a TFX pipeline."""

from pathlib import PurePosixPath

import tensorflow_data_validation as tfdv
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig

# From where they are, not by way of `tfx.v1`: that imports Google Cloud's clients too, which takes four seconds.
from tfx.components import ExampleValidator, SchemaGen, StatisticsGen, Transform
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base import base_component
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types import Channel, standard_artifacts

from components.data_gate.component import DataGate
from components.data_profile.component import DataProfile
from components.evaluator.component import UnconvertedEvaluator
from components.evaluator.thresholds import THRESHOLDS_KEY
from components.example_gen.component import make_example_gen
from components.example_gen.row_format import RowFormat, RowSettings
from components.freeze_audit.component import FreezeAudit
from components.freeze_planner.component import FreezePlanner
from components.live_model import LiveModelStrategy
from components.planned_trainer.component import PlannedTrainer
from components.release_gate.component import ReleaseGate
from pipeline.config import PipelineConfig
from pipeline.eval_config import make_eval_config
from pipeline.runtime_parameters import RuntimeParameters
from pipeline.vertex_steps import pusher, training
from trainer_module.settings import BertSettings, ColumnSettings


def create_pipeline(
    config: PipelineConfig,
    *,
    settings: BertSettings | None = None,
    parameters: RuntimeParameters | None = None,
    metadata: ConnectionConfig | None = None,
    pipeline_root: str | None = None,
    on_vertex: bool = False,
    enable_cache: bool = True,
    beam_pipeline_args: list[str] | None = None,
) -> Pipeline:
    """FreezePlanner → ExampleGen → StatisticsGen → SchemaGen → ExampleValidator →
    DataProfile → DataGate → Transform → Trainer → Evaluator,
    FreezeAudit → ReleaseGate → Pusher.

    Args:
        config: See `PipelineConfig`.
        settings: Of the model and its training; default: the config's. `run_pipeline` adds the Hub model's digest,
            so that a model that changed under the same path is trained anew.
        parameters: What may be chosen anew for each run; default: nothing, all is constant.
        metadata: Where ML Metadata is, for the local runners; see `metadata_connection.metadata_connection`.
        pipeline_root: Where the components put what they make; default: `artifacts` in the config's root.
        on_vertex: Whether `[vertex.training]` and `[push.vertex]` hold.
        enable_cache: Whether a component whose inputs and settings didn't change is skipped.
        beam_pipeline_args: For the components that run on Beam.
    """
    settings = settings or config.bert_settings()
    changeable = parameters.settings if parameters else {}
    freeze_planner = FreezePlanner(
        custom_config=settings.to_custom_config(),
        parameters={**changeable, THRESHOLDS_KEY: parameters.thresholds} if parameters else {},
    )
    example_gen = make_example_gen(
        train=config.data.train,
        eval=config.data.eval,
        eval_fraction=config.data.eval_fraction,
        rows=row_format(config),
        span=parameters.span if parameters else config.data.span_to_read,
        window=config.data.window,
        on_missing_span=config.data.on_missing_span,
        data_root=parameters.data_root if parameters else None,
    ).with_id("ExampleGen")
    # Thus everything waits for the plan: a wrong rule or model ends the run before a row is read.
    example_gen.add_upstream_node(freeze_planner)
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(
        examples=examples,
        # Otherwise each distinct text is kept in memory, to be counted. Exact up to 16,384 distinct values of a column;
        # beyond, a value's count may be too high by a 16,384th of the rows. The inferred schema is the same.
        stats_options=tfdv.StatsOptions(use_sketch_based_topk_uniques=True),
    )
    schema_gen = _schema_gen(config.data.schema_path, statistics_gen.outputs["statistics"])
    schema = schema_gen.outputs["schema"]
    example_validator = ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema)
    data_profile = DataProfile(examples=examples, custom_config=settings.to_transform_config())
    live_model = _live_model(on_vertex=on_vertex)
    data_gate = DataGate(
        anomalies=example_validator.outputs["anomalies"],
        data_profile=data_profile.outputs["data_profile"],
        model=live_model.outputs["model"],
        settings=config.data_gate,
        schema_inferred_of=(
            None if config.data.schema_path else ColumnSettings(text=config.data.text, label=config.data.label)
        ),
    )
    transform = Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="trainer_module.preprocessing_fn",
        custom_config=settings.to_transform_config(),
        # The statistics before Transform are StatisticsGen's again, and nobody reads those of token ids.
        disable_statistics=True,
        # It spares counting labels again in a window of rows that slides; writing it costs more than counting them.
        disable_analyzer_cache=True,
    )
    transform.add_upstream_node(data_gate)
    trainer = PlannedTrainer(
        examples=transform.outputs["transformed_examples"],
        freeze_plan=freeze_planner.outputs["freeze_plan"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        data_profile=data_profile.outputs["data_profile"],
        base_model=live_model.outputs["model"] if settings.start_from == "live" else None,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        parameters=changeable,
        **training(config, settings, on_vertex=on_vertex),
    ).with_id("Trainer")
    evaluator = UnconvertedEvaluator(
        examples=examples,
        model=trainer.outputs["model"],
        baseline_model=live_model.outputs["model"],
        eval_config=make_eval_config(config),
        thresholds=parameters.thresholds if parameters else None,
    ).with_id("Evaluator")
    freeze_audit = FreezeAudit(
        model=trainer.outputs["model"],
        freeze_plan=freeze_planner.outputs["freeze_plan"],
        model_run=trainer.outputs["model_run"],
        custom_config=settings.to_custom_config(),
    )
    release_gate = ReleaseGate(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        custom_config=settings.to_custom_config(),
        limits=config.release_gate,
        audit_blessing=freeze_audit.outputs["blessing"],
    )
    push = pusher(
        config,
        on_vertex=on_vertex,
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=release_gate.outputs["blessing"],
        live_push=live_model.outputs.get("pushed_model"),
    )
    return Pipeline(
        pipeline_name=config.pipeline.name,
        pipeline_root=pipeline_root or artifacts_root(config),
        components=[
            freeze_planner,
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            data_profile,
            live_model,
            data_gate,
            transform,
            trainer,
            evaluator,
            freeze_audit,
            release_gate,
            push,
        ],
        metadata_connection_config=metadata,
        enable_cache=enable_cache,
        beam_pipeline_args=beam_pipeline_args,
    )


def artifacts_root(config: PipelineConfig) -> str:
    """Where TFX keeps what the components put out."""
    root = config.pipeline.root
    return f"{root}/artifacts" if "://" in root else str(PurePosixPath(root) / "artifacts")


def row_format(config: PipelineConfig) -> RowFormat:
    """What ExampleGen's workers must know of the rows."""
    shared = config.data.model_dump(include=set(RowSettings.model_fields), exclude_unset=True)
    return RowFormat(task=config.model.task, **shared)


def _live_model(*, on_vertex: bool) -> Resolver:
    """Finds the model that new ones are compared with; Vertex AI has two resolvers only, and none of one's own."""
    model = Channel(type=standard_artifacts.Model)
    if on_vertex:
        blessings = Channel(type=standard_artifacts.ModelBlessing)
        resolver = Resolver(strategy_class=LatestBlessedModelStrategy, model=model, model_blessing=blessings)
    else:
        pushes = Channel(type=standard_artifacts.PushedModel)
        resolver = Resolver(strategy_class=LiveModelStrategy, model=model, pushed_model=pushes)
    return resolver.with_id("live_model")


def _schema_gen(schema_path: str | None, statistics: Channel) -> base_component.BaseComponent:
    """The user's schema, or one inferred from the training rows."""
    if schema_path:
        return ImportSchemaGen(schema_file=schema_path).with_id("SchemaGen")
    # Inferred shapes would make a column dense that has no gaps today, and fail tomorrow's row with one.
    return SchemaGen(statistics=statistics, infer_feature_shape=False)
