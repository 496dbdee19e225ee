"""Calls a loaded Hub encoder, whichever generation's interface it has."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from trainer_module.hub.hub_interface import ENCODER_INPUTS, HubInterface


def call_hub_encoder(
    program: Any, interface: HubInterface, inputs: Mapping[str, tf.Tensor], training: bool = False
) -> dict[str, tf.Tensor]:
    """`sequence_output` `[batch, seq, hidden]` and `pooled_output` `[batch, hidden]`, float32.

    Args:
        program: The encoder, or a `hub.KerasLayer` around it.
        interface: How it is called.
        inputs: The three, each `[batch, seq]` int32. Where the encoder takes one length only, shorter texts are
            padded for it.
        training: Whether its own dropout applies.
    """
    length = tf.shape(inputs[ENCODER_INPUTS[0]])[1]
    given = {name: _pad(inputs[name], interface.sequence_length) for name in ENCODER_INPUTS}
    outputs = program(given if interface.inputs == "dict" else list(given.values()), training=training)
    if not isinstance(outputs, dict):  # the first TF2 generation
        pooled, sequence = outputs
        outputs = {"pooled_output": pooled, "sequence_output": sequence}
    sequence = outputs["sequence_output"][:, :length]
    # Some give no pooled output; the first token's state then stands for it, as in a rebuilt one without pooler.
    return {"sequence_output": sequence, "pooled_output": outputs.get("pooled_output", sequence[:, 0, :])}


def _pad(ids: tf.Tensor, length: int) -> tf.Tensor:
    return tf.pad(ids, [[0, 0], [0, length - tf.shape(ids)[1]]]) if length else ids
