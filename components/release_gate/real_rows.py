"""The raw rows that the Trainer's model has answered, found again by what Transform makes of them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf
import tensorflow_transform as tft

from trainer_module.features import LABEL
from trainer_module.predictions import Prediction, row_names
from trainer_module.training.rows import join_rows
from trainer_module.transform_graph import Column, TransformGraph

_READ_BATCH = 1024


@dataclass(frozen=True)
class RealRow:
    """One row of the eval split.

    Attributes:
        example: As ExampleGen wrote it.
        values: What the Trainer's model said of it; see `Prediction`.
        label: What Transform made of its label.
    """

    example: tf.train.Example
    values: Sequence[float]
    label: float


def find_rows(split_dir: str, transform_graph: str, predictions: Sequence[Prediction]) -> list[RealRow]:
    """Reads raw rows until each prediction has one.

    Args:
        split_dir: Gzipped TFRecords of tf.Examples.
        transform_graph: The TransformGraph's folder.
        predictions: Each of another text.

    Returns:
        In the order of the predictions; fewer than these where a row isn't there.
    """
    left = {prediction.row for prediction in predictions}
    found: dict[str, tuple[bytes, float]] = {}
    for records, features in _transformed(split_dir, tft.TFTransformOutput(transform_graph)):
        rows = join_rows([features])
        for name, record, label in zip(row_names(rows), records, rows.labels.tolist(), strict=True):
            if name in left:
                left.remove(name)
                found[name] = (record, label)
        if not left:
            break
    return [
        RealRow(tf.train.Example.FromString(record), prediction.values, label)
        for prediction in predictions
        if prediction.row in found
        for record, label in [found[prediction.row]]
    ]


def _transformed(
    split_dir: str, transform_output: tft.TFTransformOutput
) -> Iterator[tuple[list[bytes], dict[str, Column]]]:
    graph, spec = TransformGraph(transform_output.transform_savedmodel_dir), transform_output.raw_feature_spec()

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def transform(examples: tf.Tensor) -> dict[str, Column]:
        return graph(tf.io.parse_example(examples, spec), tf.shape(examples)[0])

    files = sorted(tf.io.gfile.glob(os.path.join(split_dir, "*")))
    for batch in tf.data.TFRecordDataset(files, compression_type="GZIP").batch(_READ_BATCH):
        features = transform(batch)
        # As a row is read from Transform's records: a label has one value.
        yield batch.numpy().tolist(), features | {LABEL: tf.reshape(features[LABEL], [-1])}
