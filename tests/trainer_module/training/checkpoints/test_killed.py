"""`run_fn` in processes that are killed (SIGKILL): the exported weights are those of a process that wasn't."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainer_module.audit.saved_weights import SavedWeights
from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[4]
STEPS = 16

# A process that has imported TensorFlow, and not used it yet, forks those that train: importing takes most of the time.
RUN = """
import json, multiprocessing, os, signal, sys
import tf_keras as keras
from tfx.components.trainer.fn_args_utils import FnArgs
from trainer_module.trainer import run_fn
from trainer_module.training import train

class KillAt(keras.callbacks.Callback):
    def __init__(self, left):
        super().__init__()
        self.left = left
    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

callbacks = train._callbacks

def run(arguments, killed_after):
    train._callbacks = lambda *given: [*callbacks(*given), KillAt(killed_after - given[-1].step)]
    run_fn(FnArgs(**arguments))

fork, codes = multiprocessing.get_context("fork"), []
for given in json.loads(sys.argv[1]):
    process = fork.Process(target=run, args=given)
    process.start()
    process.join()
    codes.append(process.exitcode)
print(json.dumps(codes))
"""


def digest(model: Path) -> str:
    """Returns one digest of all exported weights."""
    weights = SavedWeights(str(model))
    total = hashlib.sha256()
    for variable in sorted(weights.shapes):
        total.update(variable.encode() + weights.read(variable).tobytes())
    return total.hexdigest()


def test_a_training_that_was_killed_again_and_again_ends_with_the_same_weights(
    reviews: Any, one_block_model: HubModel, tmp_path: Path
) -> None:
    """The head trains, and the pooler from the second epoch on."""
    first, second = sorted(random.sample(range(2, STEPS), 2))
    bert = reviews.settings.to_custom_config()["bert"]
    bert |= {"freeze": [{"freeze": "all"}, {"freeze": "pooler", "until_epoch": 1}], "checkpoint_steps": 1}
    bert |= {"hub": one_block_model.handle, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3}

    def arguments(name: str, **more: Any) -> dict[str, Any]:
        return {
            "train_files": [str(reviews.records)],
            "eval_files": [str(reviews.records)],
            "transform_output": str(reviews.output._transform_output_dir),
            "serving_model_dir": str(tmp_path / name / "model"),
            "model_run_dir": str(tmp_path / name / "run"),
            "custom_config": {"bert": bert | more},
        }

    kept = {"checkpoint_dir": str(tmp_path / "kept")}
    runs = [
        (arguments("whole"), 0),
        (arguments("first", **kept), first),
        (arguments("second", **kept), second),
        (arguments("last", **kept), 0),
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(runs)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [0, -signal.SIGKILL, -signal.SIGKILL, 0], done.stderr[-2000:]
    assert sorted(path.parent.name for path in tmp_path.glob("*/model")) == ["last", "whole"]
    assert digest(tmp_path / "last" / "model") == digest(tmp_path / "whole" / "model"), (first, second)
    (folder,) = (tmp_path / "kept").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["finished.npz", "in_use"]
