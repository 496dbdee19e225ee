"""Under which names activations are stored for later runs."""

import hashlib
import json

import numpy as np
import tensorflow as tf

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.prefix import Prefix, part_names
from trainer_module.training.rows import Rows

_FORMAT = 1  # of the activations; a new number leaves all that was stored before unused
_KEY_BYTES = 16


def prefix_digest(
    classifier: BertClassifier, prefix: Prefix, dtype: tf.DType, settings: BertSettings, plan: FreezePlan
) -> str:
    """SHA-256, in hex digits, of all that decides what the prefix gives for given token ids.

    What decides about a text's token ids is in it too (the Hub model, with its vocabulary, and the settings of the
    tokenizer), although a row is found by these ids anyhow.
    """
    described = {
        "format": _FORMAT,
        "parts": prefix.parts,
        "kept": prefix.kept.value,
        "pooling": classifier.pooling,
        "dtype": dtype.name,
        # What is stored of a whole encoder is float32, whatever it was computed in.
        "compute_dtype": settings.compute_dtype,
        "max_tokens": settings.max_tokens,
        "hub": plan.model.hub_digest,
        "tokenizer": [settings.preprocess, settings.vocab, settings.lower_case],
    }
    content = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    parts = set(part_names(prefix, plan))
    variables = classifier.encoder.hub_variables
    for planned in plan.variables:
        if planned.block in parts:
            content.update(planned.name.encode())
            content.update(variables[planned.name].numpy().tobytes())
    return content.hexdigest()


def row_keys(rows: Rows) -> np.ndarray:
    """A digest of each row's token and segment ids, `[rows, 16]` uint8."""
    keys = np.empty([len(rows), _KEY_BYTES], np.uint8)
    for row, (start, end) in enumerate(zip(rows.offsets[:-1], rows.offsets[1:], strict=True)):
        content = hashlib.blake2b(rows.word_ids[start:end].tobytes(), digest_size=_KEY_BYTES)
        if rows.type_ids is not None:
            content.update(rows.type_ids[start:end].tobytes())
        keys[row] = np.frombuffer(content.digest(), np.uint8)
    return keys
