"""Trains in a process of its own, in which TensorFlow finds two CPU devices or other workers, and says what it saw.

`python trainings.py REQUEST RESULT`, both JSON files. A request holds `devices`, how many CPU devices there are to be;
`gpus`, how many GPUs TensorFlow is to count (it finds none here; what counts them is replaced); and `trainings`, each
with the settings `bert`, and `outputs`, a folder, where all of `run_fn` is to run and not only the training.
"""

import json
import os
import sys
import unittest.mock
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras
from tfx.components.trainer.fn_args_utils import FnArgs

from trainer_module import trainer
from trainer_module.encoder import BertEncoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings, TrainSettings
from trainer_module.training import train as training
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.distribution import Distribution, choose_distribution
from trainer_module.training.frozen_prefix.prefix_function import PrefixFunction
from trainer_module.training.rows import read_rows


class Seen(keras.callbacks.Callback):
    """What Keras reports, and which rows run through a prefix.

    Keras reports running means of the epoch: two trainings in which they are the same at every step have the same
    loss at every step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[dict[str, float]] = []
        self.epochs: list[dict[str, float]] = []
        self.encoded: list[list[int]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.steps.append({name: float(value) for name, value in (logs or {}).items()})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epochs.append({name: float(value) for name, value in (logs or {}).items()})


def watch(seen: Seen) -> None:
    training._callbacks = lambda *given: [*CALLBACKS(*given), seen]

    def encode(self: PrefixFunction, source: Any, positions: np.ndarray, put: Any) -> None:
        seen.encoded.append(positions.tolist())
        ENCODE(self, source, positions, put)

    PrefixFunction.encode = encode  # type: ignore[method-assign]


CALLBACKS: Callable[..., list[Any]] = training._callbacks
ENCODE = PrefixFunction.encode


def only_train(bert: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Without the probe and the export, which take most of the time; and looks at the classifier."""
    settings = BertSettings.from_custom_config({"bert": bert})
    distribution = choose_distribution(settings)
    hub = HubModel(settings.hub)
    plan = plan_freeze(settings, hub)
    with distribution.strategy.scope():
        encoder = BertEncoder(
            hub.layout, HubWeights(hub.layout, hub.weights, plan.is_trainable), dropout=settings.dropout
        )
        classifier = BertClassifier(
            encoder, outputs=2, pooling=settings.pooling, dropout=settings.dropout, seed=settings.seed
        )
    rows = read_rows([request["records"]], tft.TFTransformOutput(request["transform_output"]))
    training.train(classifier, rows, rows, settings, plan, request["logs"], distribution)
    variables = encoder.hub_variables
    moved = {name for name, value in hub.weights.items() if variables[name].numpy().tobytes() != value.tobytes()}
    return {
        "replicas": distribution.replicas,
        "moved": sorted(moved),
        "planned": sorted(plan.trainable_names),
        "head": [variable.name for variable in classifier.head.variables],
        "noise": noise_numbers(classifier, distribution),
    }


def noise_numbers(classifier: BertClassifier, distribution: Distribution) -> list[int]:
    """Which dropout each replica would have in its next steps."""
    numbers = []
    for step in range(3):
        classifier.optimizer.iterations.assign(step)
        given = distribution.strategy.run(classifier._noise_number)
        numbers += [int(each) for each in distribution.strategy.experimental_local_results(given)]
    return numbers


def whole(bert: dict[str, Any], outputs: str, request: dict[str, Any]) -> dict[str, Any]:
    trainer.run_fn(
        FnArgs(
            train_files=[request["records"]],
            eval_files=[request["records"]],
            transform_output=request["transform_output"],
            serving_model_dir=os.path.join(outputs, "model"),
            model_run_dir=os.path.join(outputs, "run"),
            custom_config={"bert": bert},
        )
    )
    # What TFX's Trainer looks for next, in every worker.
    return {"found": sorted(os.listdir(outputs))}


def count_gpus(count: int) -> None:
    """While it is chosen where to train, and not when Keras decides whether to compile for them."""

    def choose(settings: TrainSettings) -> Distribution:
        with unittest.mock.patch("tensorflow.config.list_physical_devices", lambda kind: [kind] * count):
            return choose_distribution(settings)

    trainer.choose_distribution = choose


def main(request: dict[str, Any]) -> list[dict[str, Any]]:
    if request.get("devices"):
        device = tf.config.LogicalDeviceConfiguration()
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [device] * request["devices"])
    if request.get("gpus"):
        count_gpus(request["gpus"])
    results = []
    for given in request["trainings"]:
        seen = Seen()
        watch(seen)
        if given.get("outputs"):
            result = whole(given["bert"], given["outputs"], request)
        else:
            result = only_train(given["bert"], request)
        results.append(result | {"steps": seen.steps, "epochs": seen.epochs, "encoded": seen.encoded})
    return results


if __name__ == "__main__":
    request_file, result_file = map(Path, sys.argv[1:])
    result_file.write_text(json.dumps(main(json.loads(request_file.read_text()))))
