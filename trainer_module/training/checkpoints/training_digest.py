"""What determines a training, as one name."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.distribution import Distribution
from trainer_module.training.rows import Rows

_FORMAT = 1  # of checkpoints and of the way of training; a new number leaves all older checkpoints unused

_IRRELEVANT = {
    # Where things are, and not what they are.
    "hub",
    "hub_digest",
    "hub_hosts",
    "allow_unsafe_ops",
    "preprocess",
    "vocab",
    "freeze_plan",
    "prefix_cache_dir",
    "prefix_cache_mb",
    "checkpoint_dir",
    "checkpoint_steps",
    # What became of them is looked at instead: the plan, the rows, the weights at the beginning.
    "freeze",
    "text",
    "label",
    "lower_case",
    "start_from",
}


def training_digest(
    classifier: BertClassifier,
    splits: Sequence[Rows],
    settings: BertSettings,
    plan: FreezePlan,
    distribution: Distribution,
) -> str:
    """SHA-256, in hex digits, of all that decides with which weights a training ends.

    Args:
        classifier: Before the first step, with its head.
        splits: The training and the evaluation rows.
        settings: Of the run.
        plan: Of the run.
        distribution: Over how many replicas each batch is spread.
    """
    described: dict[str, Any] = {
        "format": _FORMAT,
        "tensorflow": tf.__version__,
        "settings": settings.model_dump(mode="json", exclude=_IRRELEVANT),
        "plan": plan.digest(),
        "hub": plan.model.hub_digest,
        "replicas": distribution.replicas,
    }
    content = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    # Those of a model that was trained before, where one is continued.
    _add(content, (variable.numpy() for variable in classifier.trainable_variables))
    for rows in splits:
        _add(content, [rows.word_ids, rows.offsets, rows.labels])
        _add(content, [] if rows.type_ids is None else [rows.type_ids])
    return content.hexdigest()


def _add(content: Any, arrays: Iterable[np.ndarray]) -> None:
    for array in arrays:
        content.update(f"{array.dtype.str}{array.shape}".encode())
        content.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
