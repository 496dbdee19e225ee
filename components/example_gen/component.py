"""ExampleGen for a user's rows."""

from fractions import Fraction

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2

from components.example_gen.custom_config import pack_rows
from components.example_gen.data_paths import as_pattern, split_base
from components.example_gen.delimited_executor import DelimitedExecutor
from components.example_gen.row_format import RowFormat
from components.example_gen.tfrecord_executor import TfRecordExecutor
from components.example_gen.verdict import EVAL, TRAIN
from trainer_module.errors import UserError

_FINEST_SHARE = 1000


def make_example_gen(
    train: str, eval: str | None = None, eval_fraction: float = 0.2, *, rows: RowFormat
) -> FileBasedExampleGen:
    """TFX's own file-based ExampleGen, with an executor of ours that checks the rows.

    Args:
        train: A file, a folder (all its files) or a glob pattern, local or gs://.
        eval: Likewise; when there is none, a share of `train` becomes the eval split by each row's hash.
        eval_fraction: That share.
        rows: What the files look like.

    Raises:
        UserError: The share is none, or both paths have no storage in common. Whether the paths
            exist is for `data_paths.check_paths` to say.
    """
    given = [train] if eval is None else [train, eval]
    names = ["all"] if eval is None else [TRAIN, EVAL]
    base, patterns = split_base([as_pattern(path) for path in given])
    splits = [
        example_gen_pb2.Input.Split(name=name, pattern=pattern) for name, pattern in zip(names, patterns, strict=True)
    ]
    return FileBasedExampleGen(
        input_base=base,
        input_config=example_gen_pb2.Input(splits=splits),
        output_config=_hash_split(eval_fraction) if eval is None else None,
        custom_config=pack_rows(rows),
        custom_executor_spec=executor_spec.BeamExecutorSpec(
            TfRecordExecutor if rows.format == "tfrecord" else DelimitedExecutor
        ),
    )


def _hash_split(eval_fraction: float) -> example_gen_pb2.Output:
    share = Fraction(eval_fraction).limit_denominator(_FINEST_SHARE)
    if not 0 < share < 1:
        raise UserError(
            f"data.eval_fraction: must be from {1 / _FINEST_SHARE} to {1 - 1 / _FINEST_SHARE}; given {eval_fraction!r}"
        )
    buckets = {TRAIN: share.denominator - share.numerator, EVAL: share.numerator}
    splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=n) for name, n in buckets.items()]
    return example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits))
