"""The graph that Transform left behind, as a plain TensorFlow object that an exported model can carry."""

from collections.abc import Mapping
from typing import TypeAlias

import tensorflow as tf
from tensorflow_transform import tf2_utils

Column: TypeAlias = tf.Tensor | tf.SparseTensor | tf.RaggedTensor


class TransformGraph(tf.Module):
    """Does what `tft.TFTransformOutput.transform_features_layer()` does, without Keras.

    That layer is a Keras model: TensorFlow saves it by tracing it several times more, through AutoGraph, which takes
    longer than all else of an export and makes the exported model larger and slower to load.

    Args:
        path: `TFTransformOutput.transform_savedmodel_dir`.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        # Tracked as a whole, because its vocabularies and tables must travel with the model.
        self.loaded = tf.saved_model.load(path)
        self._transform = self.loaded.transform_fn
        self._inputs = tf2_utils.get_structured_inputs_from_func_graph(self._transform.graph)

    def __call__(self, columns: Mapping[str, Column], batch_size: tf.Tensor) -> dict[str, Column]:
        """Transformed features of raw columns; to be called while a graph is traced.

        Args:
            columns: Some of the raw columns.
            batch_size: Scalar; of the columns. Those that aren't given have that many rows of nothing, so what is
                made of them means nothing.
        """
        missing = sorted(self._inputs.keys() - columns.keys())
        filled = tf2_utils.supply_missing_inputs(self._inputs, batch_size, missing) if missing else {}
        return self._transform(*tf.nest.flatten({**columns, **filled}, expand_composites=True))
