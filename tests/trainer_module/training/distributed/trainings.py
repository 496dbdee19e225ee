"""Trains in processes of their own, in which TensorFlow finds two CPU devices or other workers, and says what they saw.

`python trainings.py REQUEST`. The request, a JSON file, holds `steps`, done one after the other. A step holds
`tf_configs`, one for each worker; `devices`, how many CPU devices there are to be; and `trainings`, each with the
settings `bert`, and maybe `outputs`, a folder, where all of `run_fn` is to run and not only the training, `gpus`,
how many GPUs TensorFlow is to count (it finds none here; what counts them is replaced), and `program`, whether the Hub
model's own program is to train as if it couldn't be rebuilt.

Each worker is forked from this process, which has imported TensorFlow, and not used it yet: importing takes most of
the time. Results are `resultSTEP-WORKER.json` here; what a worker prints is in `logSTEP-WORKER`.
"""

import json
import multiprocessing
import multiprocessing.connection
import os
import sys
import tempfile
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
from trainer_module.encoder import BertEncoder, CannotRebuild, Encoder, make_encoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.freezing.freeze_plan import FreezePlan
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


def unprobed(hub: HubModel, plan: FreezePlan, settings: BertSettings, distribution: Distribution) -> Encoder:
    with distribution.strategy.scope():
        weights = HubWeights(hub.layout, hub.weights, plan.is_trainable)
        return BertEncoder(hub.layout, weights, dropout=settings.dropout)


def program(hub: HubModel, plan: FreezePlan, settings: BertSettings, distribution: Distribution) -> Encoder:
    return make_encoder(hub, plan.is_trainable, settings.dropout, distribution.strategy).encoder


def only_train(bert: dict[str, Any], request: dict[str, Any], make: Callable[..., Encoder]) -> dict[str, Any]:
    """Without the probe and the export, which take most of the time; and looks at the classifier."""
    settings = BertSettings.from_custom_config({"bert": bert})
    distribution = choose_distribution(settings)
    hub = HubModel(settings.hub)
    plan = plan_freeze(settings, hub)
    encoder = make(hub, plan, settings, distribution)
    with distribution.strategy.scope():
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


def whole(bert: dict[str, Any], outputs: str, request: dict[str, Any], gpus: int) -> dict[str, Any]:
    chosen = []

    def choose(settings: TrainSettings) -> Distribution:
        # They are counted while it is chosen where to train, and not when Keras decides whether to compile for them.
        with unittest.mock.patch("tensorflow.config.list_physical_devices", lambda kind: [kind] * gpus):
            chosen.append(choose_distribution(settings))
        return chosen[-1]

    with unittest.mock.patch.object(trainer, "choose_distribution", choose):
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
    return {"replicas": chosen[0].replicas, "found": sorted(os.listdir(outputs))}


def cannot_rebuild(*args: Any) -> None:
    raise CannotRebuild("a test")


def train_all(step: dict[str, Any], request: dict[str, Any]) -> list[dict[str, Any]]:
    if step.get("devices"):
        device = tf.config.LogicalDeviceConfiguration()
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [device] * step["devices"])
    results = []
    for given in step["trainings"]:
        seen = Seen()
        watch(seen)
        as_program = given.get("program", False)
        with unittest.mock.patch.dict(make_encoder.__globals__, {"rebuild": cannot_rebuild} if as_program else {}):
            if given.get("outputs"):
                result = whole(given["bert"], given["outputs"], request, given.get("gpus", 0))
            else:
                result = only_train(given["bert"], request, program if as_program else unprobed)
        results.append(result | {"steps": seen.steps, "epochs": seen.epochs, "encoded": seen.encoded})
    return results


def worker(name: str, tf_config: str | None, step: dict[str, Any], request: dict[str, Any]) -> None:
    with open(f"log{name}", "w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    tempfile.tempdir = os.environ["TMPDIR"] = os.path.abspath(f"tmp{name}")
    os.mkdir(tempfile.tempdir)
    if tf_config:
        os.environ["TF_CONFIG"] = tf_config
    Path(f"result{name}.json").write_text(json.dumps(train_all(step, request)))


def main(request: dict[str, Any]) -> None:
    fork = multiprocessing.get_context("fork")
    for number, step in enumerate(request["steps"]):
        names = [f"{number}-{index}" for index in range(len(step["tf_configs"]))]
        workers = [
            fork.Process(target=worker, args=(name, tf_config, step, request), daemon=True)
            for name, tf_config in zip(names, step["tf_configs"], strict=True)
        ]
        for process in workers:
            process.start()
        # One that fails would leave the others waiting for it.
        multiprocessing.connection.wait([process.sentinel for process in workers])
        for process in workers:
            process.join(timeout=60)
        if any(process.exitcode != 0 for process in workers):
            sys.exit("\n".join(Path(f"log{name}").read_text()[-3000:] for name in names))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
