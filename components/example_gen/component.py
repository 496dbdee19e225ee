"""ExampleGen for a user's rows."""

from fractions import Fraction
from typing import Literal

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import example_gen_pb2
from tfx.types import Channel, standard_artifacts
from tfx.types.component_spec import ExecutionParameter
from tfx.types.standard_component_specs import FileBasedExampleGenSpec

from components.example_gen.custom_config import pack
from components.example_gen.data_paths import input_of
from components.example_gen.delimited_executor import DelimitedExecutor
from components.example_gen.row_format import RowFormat
from components.example_gen.span_driver import SPAN_KEY, SpanDriver
from components.example_gen.span_window import Window
from components.example_gen.spans import LATEST, NEWEST, eval_problem, has_span, window_problem
from components.example_gen.tfrecord_executor import TfRecordExecutor
from components.example_gen.verdict import EVAL, TRAIN
from trainer_module.errors import UserError

_FINEST_SHARE = 1000


class SpanExampleGenSpec(FileBasedExampleGenSpec):
    """The stock component's, and the number of the span to read."""

    PARAMETERS = FileBasedExampleGenSpec.PARAMETERS | {SPAN_KEY: ExecutionParameter(type=int, optional=True)}


class SpanExampleGen(FileBasedExampleGen):
    """TFX's file-based ExampleGen, which takes the newest span of a window; `make_example_gen` makes one."""

    SPEC_CLASS = SpanExampleGenSpec
    DRIVER_CLASS = SpanDriver

    def __init__(self, spec: SpanExampleGenSpec, executor: type) -> None:
        # FileBasedExampleGen.__init__ makes a spec of its own class, which has no place for the number.
        base_beam_component.BaseBeamComponent.__init__(
            self, spec=spec, custom_executor_spec=executor_spec.BeamExecutorSpec(executor)
        )


def make_example_gen(
    train: str,
    eval: str | None = None,
    eval_fraction: float = 0.2,
    *,
    rows: RowFormat,
    span: int | RuntimeParameter | None = None,
    window: int = 1,
    on_missing_span: Literal["fail", "warn"] = "fail",
    data_root: RuntimeParameter | None = None,
) -> FileBasedExampleGen:
    """TFX's own file-based ExampleGen, with an executor of ours that checks the rows.

    Args:
        train: A file, a folder (all its files) or a glob pattern, local or gs://; see `spans` for placeholders in it.
        eval: Likewise, with the same placeholders; or "newest", for the newest span of the window. When there is none,
            a share of `train` becomes the eval split by each row's hash.
        eval_fraction: That share.
        rows: What the files look like.
        span: The newest span of the window, or `spans.LATEST`, which is the default; unused where the paths hold none.
        window: How many spans are read: this one and those before it.
        on_missing_span: Whether a span of the window that has no files fails the run. The newest does in any case.
        data_root: A runtime parameter for the folder that the paths have in common, in place of the one they have.

    Raises:
        UserError: The share is none, both paths have no storage in common, or spans and paths don't go together.
            Whether the paths exist is for `data_paths.check_paths` to say.
    """
    problems = {"data.eval": eval_problem(train, eval), "data.window": window_problem(train, eval, window)}
    if told := [f"{key}: {problem}" for key, problem in problems.items() if problem]:
        raise UserError(told)
    names = ["all"] if eval is None else [TRAIN, EVAL]
    base, patterns = input_of(train, eval)
    asked = Window(spans=window, hold_out_newest=eval == NEWEST, on_missing=on_missing_span)
    splits = [
        example_gen_pb2.Input.Split(name=name, pattern=pattern) for name, pattern in zip(names, patterns, strict=True)
    ]
    spec = SpanExampleGenSpec(
        input_base=data_root or base,
        input_config=example_gen_pb2.Input(splits=splits),
        output_config=_hash_split(eval_fraction) if eval is None else example_gen_pb2.Output(),
        custom_config=pack(rows, asked),
        output_data_format=example_gen_pb2.FORMAT_TF_EXAMPLE,
        output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
        examples=Channel(type=standard_artifacts.Examples),
        **({SPAN_KEY: LATEST if span is None else span} if has_span(train) else {}),
    )
    return SpanExampleGen(spec, TfRecordExecutor if rows.format == "tfrecord" else DelimitedExecutor)


def _hash_split(eval_fraction: float) -> example_gen_pb2.Output:
    share = Fraction(eval_fraction).limit_denominator(_FINEST_SHARE)
    if not 0 < share < 1:
        raise UserError(
            f"data.eval_fraction: must be from {1 / _FINEST_SHARE} to {1 - 1 / _FINEST_SHARE}; given {eval_fraction!r}"
        )
    buckets = {TRAIN: share.denominator - share.numerator, EVAL: share.numerator}
    splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=n) for name, n in buckets.items()]
    return example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits))
