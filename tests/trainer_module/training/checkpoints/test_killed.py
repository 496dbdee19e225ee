"""`run_fn` in processes that are killed (SIGKILL): the exported weights are those of a process that wasn't."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer_module.audit.saved_weights import SavedWeights

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[4]
STEPS = 16

RUN = """
import json, os, signal, sys
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
train._callbacks = lambda *given: [*callbacks(*given), KillAt(int(sys.argv[2]) - given[-1].step)]
run_fn(FnArgs(**json.loads(sys.argv[1])))
"""


@pytest.fixture
def run(reviews: Any, tmp_path: Path) -> Callable[..., str]:
    """Trains in a process that is killed after a step of the whole training, or isn't (0): gives the digest of all
    weights that were exported.
    """
    freeze = [{"freeze": "embeddings"}, {"freeze": "encoder[0]", "until_epoch": 1}]
    bert = reviews.settings.to_custom_config()["bert"]
    bert |= {"freeze": freeze, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "checkpoint_steps": 1}

    def make(name: str, killed_after: int = 0, **more: Any) -> str:
        model = tmp_path / name / "model"
        arguments = {
            "train_files": [str(reviews.records)],
            "eval_files": [str(reviews.records)],
            "transform_output": str(reviews.output._transform_output_dir),
            "serving_model_dir": str(model),
            "model_run_dir": str(tmp_path / name / "run"),
            "custom_config": {"bert": bert | more},
        }
        done = subprocess.run(
            [sys.executable, "-c", RUN, json.dumps(arguments), str(killed_after)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (-signal.SIGKILL if killed_after else 0), done.stderr[-2000:]
        assert model.exists() == (not killed_after)
        if killed_after:
            return ""
        weights = SavedWeights(str(model))
        total = hashlib.sha256()
        for variable in sorted(weights.shapes):
            total.update(variable.encode() + weights.read(variable).tobytes())
        return total.hexdigest()

    return make


def test_a_training_that_was_killed_again_and_again_ends_with_the_same_weights(
    run: Callable[..., str], tmp_path: Path
) -> None:
    first, second = sorted(random.sample(range(2, STEPS), 2))
    kept = {"checkpoint_dir": str(tmp_path / "kept")}
    whole = run("whole")
    run("first", first, **kept)
    run("second", second, **kept)
    assert run("last", **kept) == whole, (first, second)
    (folder,) = (tmp_path / "kept").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["finished.npz", "in_use"]
