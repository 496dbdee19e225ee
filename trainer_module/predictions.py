"""What the trained model says of some real rows, so that the exported one can be asked the same."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from pydantic import BaseModel, ConfigDict

from trainer_module.features import in_class_order
from trainer_module.predicted_rows import MOST_ROWS
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.digests import row_keys
from trainer_module.training.rows import Rows

PREDICTIONS_FILE = "predictions.json"
"""Their place in `model_run_dir`."""

_BATCH = 8
_CONFIG = ConfigDict(frozen=True, ser_json_inf_nan="constants")


class Prediction(BaseModel):
    """Of one row.

    Attributes:
        row: Digest of its token and segment ids (`row_names`): Trainer never sees a text.
        values: The probability of each class, or the one number that a regression predicts.
    """

    model_config = _CONFIG

    row: str
    values: list[float]


class Predictions(BaseModel):
    """Of the first rows of the eval split, each text once.

    Attributes:
        classes: In the order of the probabilities, as the exported model has them; empty for regression.
        rows: At most `MOST_ROWS`.
    """

    model_config = _CONFIG

    classes: list[str]
    rows: list[Prediction]


def row_names(rows: Rows) -> list[str]:
    """What `Prediction.row` calls each row."""
    return [key.tobytes().hex() for key in row_keys(rows)]


def predict(classifier: BertClassifier, rows: Rows, labels: Sequence[bytes]) -> Predictions:
    """Asks the model as it is in memory.

    Args:
        classifier: Trained.
        rows: Of the eval split.
        labels: The class names, in the classifier's order; empty for regression.
    """
    names = np.array(row_names(rows))
    chosen = np.sort(np.unique(names, return_index=True)[1])[:MOST_ROWS]
    classes = in_class_order(labels)
    values: list[list[float]] = []
    for start in range(0, len(chosen), _BATCH):
        inputs, _ = rows.batch(chosen[start : start + _BATCH])
        outputs = classifier(inputs, training=False)
        if classes:
            outputs = tf.gather(tf.nn.softmax(outputs), [labels.index(name) for name in classes], axis=1)
        values += outputs.numpy().tolist()
    return Predictions(
        classes=[name.decode("utf-8", "replace") for name in classes],
        rows=[Prediction(row=name, values=each) for name, each in zip(names[chosen], values, strict=True)],
    )
