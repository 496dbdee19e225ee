"""Rebuilds a Hub encoder and proves by a probe that it computes what the SavedModel computes."""

import gc
import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import tensorflow as tf

from trainer_module.encoder.bert_encoder import BertEncoder
from trainer_module.encoder.hub_call import call_hub_encoder
from trainer_module.encoder.hub_weights import HubWeights, IsTrainable
from trainer_module.encoder.math import ACTIVATIONS
from trainer_module.encoder.probe import probe_batch
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.program_run import try_program

TOLERANCE = 1e-4
"""Largest absolute difference of any output at which a rebuilt encoder is trusted (float32)."""

_GOOD = 1e-5
_EPSILONS = (1e-12, 1e-6, 1e-5, 1e-3)


class CannotRebuild(Exception):
    """The SavedModel isn't a standard BERT, or a BERT's variables don't give its outputs. The message says which."""


@dataclass(frozen=True)
class Rebuilt:
    """An encoder that passed the probe.

    Attributes:
        encoder: What trains.
        activation: Found by the probe; a key of `ACTIVATIONS`.
        epsilon: Of the layer norms; found by the probe.
        largest_difference: Between any output of the SavedModel and of `encoder`, absolute.
    """

    encoder: BertEncoder
    activation: str
    epsilon: float
    largest_difference: float


def rebuild(
    hub_model: HubModel,
    is_trainable: IsTrainable,
    dropout: float,
    strategy: tf.distribute.Strategy | None = None,
) -> Rebuilt:
    """Builds the Keras encoder that agrees with the SavedModel.

    The SavedModel doesn't say which activation and layer-norm epsilon it uses, so each candidate is tried: the
    usual epsilon first, the rest only if no activation fits with it.

    Args:
        hub_model: Source of weights and program.
        is_trainable: Whether the variable of that Hub name trains.
        dropout: Rate inside the parts that train.
        strategy: In whose scope the variables are made; none: the current one.

    Raises:
        CannotRebuild: Its variables aren't a BERT's, or no candidate agrees within `TOLERANCE`.
        UserError: Its program can't be loaded or called, or doesn't end.
    """
    batch = probe_batch(hub_model.layout)
    # A model that can't be rebuilt is tried out as well: it will train through this program.
    expected = try_program(lambda: _outputs(hub_model, batch), key="model.hub", handle=hub_model.handle, doing="run")
    gc.collect()  # the loaded program's copy of all weights hangs on reference cycles
    if hub_model.layout.deviation:
        raise CannotRebuild(f"not a standard BERT: {hub_model.layout.deviation}")
    with (strategy or tf.distribute.get_strategy()).scope():
        encoder = BertEncoder(
            hub_model.layout, HubWeights(hub_model.layout, hub_model.weights, is_trainable), dropout=dropout
        )
    best: tuple[float, str, float] | None = None
    for epsilon, activation in product(_EPSILONS, ACTIVATIONS):
        if best is not None and best[0] <= _GOOD and epsilon != best[2]:
            break
        encoder.compute_with(activation, epsilon)
        difference = _largest_difference(encoder, batch, expected)
        if best is None or math.isnan(best[0]) or difference < best[0]:
            best = (difference, activation, epsilon)
    assert best is not None
    difference, activation, epsilon = best
    if not difference <= TOLERANCE:  # NaN isn't
        raise CannotRebuild(
            f"a BERT's variables but not its outputs: a probe batch differs by {difference:.2g} "
            f"(at most {TOLERANCE:g} is trusted)"
        )
    encoder.compute_with(activation, epsilon)
    return Rebuilt(encoder, activation, epsilon, difference)


def _outputs(hub_model: HubModel, batch: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    """The outputs of the SavedModel's own program.

    Raises:
        ValueError: They aren't a BERT's.
    """
    called = call_hub_encoder(hub_model.load(), hub_model.interface, batch)
    outputs = {name: tf.cast(output, tf.float32).numpy() for name, output in called.items()}
    texts = batch["input_mask"].shape
    sequence, pooled = outputs["sequence_output"].shape, outputs["pooled_output"].shape
    if len(sequence) != 3 or len(pooled) != 2 or sequence[:2] != texts or pooled[0] != texts[0]:
        raise ValueError(f"for tokens of the shape {list(texts)} its outputs have {list(sequence)} and {list(pooled)}")
    return outputs


def _largest_difference(encoder: BertEncoder, batch: dict[str, tf.Tensor], expected: dict[str, np.ndarray]) -> float:
    outputs = encoder(batch)
    tokens = batch["input_mask"].numpy().astype(bool)
    # A padded position's state is never read, and families differ in what they put there.
    sequence = np.abs(outputs["sequence_output"].numpy() - expected["sequence_output"])[tokens].max()
    if encoder.pooler is None:
        return float(sequence)
    pooled = np.abs(outputs["pooled_output"].numpy() - expected["pooled_output"]).max()
    return float(np.maximum(sequence, pooled))  # NaN if either is
