"""Writes a BERT as a TF-Hub encoder: a SavedModel with the published interface and variable names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module.encoder.bert_encoder import BertEncoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.hub.layout import EncoderLayout

DROPOUT = 0.1
"""Of published encoders when they are called with `training=True`."""

_INPUTS = ("input_word_ids", "input_mask", "input_type_ids")


def save_hub_encoder(
    path: Path,
    layout: EncoderLayout,
    weights: Mapping[str, np.ndarray],
    *,
    activation: str,
    epsilon: float,
    vocab_path: Path,
    lower_case: bool,
) -> None:
    """Writes the SavedModel into the folder `path`; plain TensorFlow loads it.

    It is a reusable SavedModel (https://www.tensorflow.org/hub/reusable_saved_models): called with a dict of
    `input_word_ids`, `input_mask`, `input_type_ids`, each `[batch, seq]` int32, it gives `sequence_output`
    `[batch, seq, hidden]`, `pooled_output` and `default` (the same) `[batch, hidden]`, and `encoder_outputs`,
    a list with one `[batch, seq, hidden]` per block; all float32. `training=True` applies dropout.
    `vocab_file` and `do_lower_case` are attributes; `serving_default` gives the outputs that aren't a list.

    Args:
        path: Any content is overwritten; see `new_folder` for one that appears complete or not at all.
        layout: With published variable names. Without pooler, `pooled_output` is the first token's state.
        weights: The value of each variable, by name.
        activation: A key of `encoder.math.ACTIVATIONS`.
        epsilon: Of every layer norm.
        vocab_path: Copied into the SavedModel.
        lower_case: Whether text is lower-cased and stripped of accents first.
    """
    # Everything trains, because a frozen part has no dropout.
    encoder = BertEncoder(
        layout,
        HubWeights(layout, weights, lambda name: True),
        activation=activation,
        epsilon=epsilon,
        dropout=DROPOUT,
    )
    variables = list(encoder.hub_variables.values())
    # Variables and functions only: TensorFlow would export every Keras layer it finds here.
    root = tf.train.Checkpoint()
    root.variables = variables
    root.trainable_variables = list(variables)
    root.regularization_losses = []
    root.vocab_file = tf.saved_model.Asset(str(vocab_path))
    root.do_lower_case = tf.Variable(lower_case, trainable=False, dtype=tf.bool, name="do_lower_case")
    root.__call__ = _traced(encoder)
    tf.saved_model.save(root, str(path), signatures={"serving_default": _signature(encoder)})


def _traced(encoder: BertEncoder) -> Callable[..., dict[str, Any]]:
    """A function with one graph for training and one without."""

    @tf.function(autograph=False)
    def call(inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, Any]:
        return _outputs(encoder, inputs, training)

    for training in (True, False):
        call.get_concrete_function(_input_specs(), training=training)
    return call


def _signature(encoder: BertEncoder) -> Any:
    @tf.function(autograph=False)
    def serve(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = _outputs(encoder, inputs, training=False)
        del outputs["encoder_outputs"]
        return {name: tf.identity(output) for name, output in outputs.items()}

    return serve.get_concrete_function(**_input_specs())


def _input_specs() -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in _INPUTS}


def _outputs(encoder: BertEncoder, inputs: dict[str, tf.Tensor], training: bool) -> dict[str, Any]:
    states = encoder.block_outputs(inputs, training)
    pooled = encoder.pool(states[-1])
    return {
        "pooled_output": pooled,
        "sequence_output": states[-1],
        "default": pooled,
        "encoder_outputs": states,
    }
