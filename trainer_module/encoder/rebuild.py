"""Rebuilds a Hub encoder and proves by a probe that it computes what the SavedModel computes."""

import logging
import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import tensorflow as tf

from trainer_module.encoder.bert_encoder import BertEncoder
from trainer_module.encoder.hub_weights import HubWeights, IsTrainable
from trainer_module.encoder.math import ACTIVATIONS
from trainer_module.encoder.probe import probe_batch, run_saved_model
from trainer_module.errors import UserError
from trainer_module.hub_model import HubModel

TOLERANCE = 1e-4
"""Largest absolute difference of any output at which a rebuilt encoder is trusted (float32)."""

_GOOD = 1e-5
_EPSILONS = (1e-12, 1e-6, 1e-5, 1e-3)

_log = logging.getLogger("permafrost.encoder")


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


def rebuild(hub_model: HubModel, is_trainable: IsTrainable, dropout: float) -> Rebuilt:
    """Builds the Keras encoder that agrees with the SavedModel.

    The SavedModel doesn't say which activation and layer-norm epsilon it uses, so each candidate is tried: the
    usual epsilon first, the rest only if no activation fits with it.

    Raises:
        UserError: No candidate agrees within `TOLERANCE`.
    """
    batch = probe_batch(hub_model.layout)
    expected = run_saved_model(hub_model.load(), batch)
    best: tuple[float, str, float] | None = None
    for epsilon, activation in product(_EPSILONS, ACTIVATIONS):
        if best is not None and best[0] <= _GOOD and epsilon != best[2]:
            break
        frozen = HubWeights(hub_model.layout, hub_model.weights, lambda name: False)
        candidate = BertEncoder(hub_model.layout, frozen, activation=activation, epsilon=epsilon, dropout=0.0)
        difference = _largest_difference(candidate, batch, expected)
        if best is None or math.isnan(best[0]) or difference < best[0]:
            best = (difference, activation, epsilon)
    assert best is not None
    difference, activation, epsilon = best
    if not difference <= TOLERANCE:  # NaN isn't
        raise UserError(
            f"model.hub: {hub_model.handle} has a BERT's variables but not its outputs: a probe batch differs by "
            f"{difference:.2g} (at most {TOLERANCE:g} is trusted); this encoder can't be rebuilt"
        )
    _log.info("rebuilt %s: %s, epsilon %g, probe differs by %.2g", hub_model.handle, activation, epsilon, difference)
    weights = HubWeights(hub_model.layout, hub_model.weights, is_trainable)
    encoder = BertEncoder(hub_model.layout, weights, activation=activation, epsilon=epsilon, dropout=dropout)
    return Rebuilt(encoder, activation, epsilon, difference)


def _largest_difference(encoder: BertEncoder, batch: dict[str, tf.Tensor], expected: dict[str, np.ndarray]) -> float:
    states = encoder(batch)
    tokens = batch["input_mask"].numpy().astype(bool)
    # A padded position's state is never read, and families differ in what they put there.
    sequence = np.abs(states.numpy() - expected["sequence_output"])[tokens].max()
    if encoder.pooler is None:
        return float(sequence)
    pooled = np.abs(encoder.pool(states).numpy() - expected["pooled_output"]).max()
    return float(np.maximum(sequence, pooled))  # NaN if either is
