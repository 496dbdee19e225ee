"""Real processes: some that are killed while they encode, and two at once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.hub.hub_model import HubModel
from trainer_module.prefix_cache.segment_header import read_header
from trainer_module.training.rows import Rows

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[4]
HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[0]"})
SETTINGS = {"text": ["t"], "label": "l", "max_tokens": 16, "batch_size": 5, "learning_rate": 1e-3, "seed": 3}

# A process that has imported TensorFlow, and not used it yet, forks those that train: importing takes most of the time.
TRAIN = """
import importlib.util, json, multiprocessing, os, signal, sys, tempfile
import numpy as np
spec = importlib.util.spec_from_file_location("watched", os.environ["CONFTEST"])
watched = sys.modules["watched"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(watched)
from trainer_module.encoder import BertEncoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.prefix_cache.disk_store import DiskStore
from trainer_module.prefix_cache.segments import SegmentStore
from trainer_module.settings import BertSettings
from trainer_module.training.frozen_prefix import prefix_function
from trainer_module.training.rows import Rows
from trainer_module.training.train import train

# Segments of single batches, and batches of few rows: there is something to kill in between.
SegmentStore.__init__.__defaults__ = (1,)
prefix_function._TOKENS = 24

def rows(name):
    with np.load(name) as arrays:
        return Rows(arrays["word_ids"], None, arrays["offsets"], arrays["labels"].astype(np.int64) % 2)

def run(bert):
    settings = BertSettings.from_custom_config({"bert": bert})
    hub = HubModel(settings.hub)
    plan = plan_freeze(settings, hub)
    encoder = BertEncoder(hub.layout, HubWeights(hub.layout, hub.weights, plan.is_trainable), dropout=0.1)
    seen = watched.Run(plan, settings)
    classifier = watched.WatchedClassifier(seen, encoder, outputs=2, pooling="pooled", dropout=0.1, seed=settings.seed)
    train(classifier, rows("train.npz"), rows("eval.npz"), settings, plan, "logs")
    return seen.losses

put, puts = DiskStore.put, []
def killed_at_the_fourth_batch(self, *args):
    puts.append(len(args[0]))
    if len(puts) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, *args)

def child(request, result, everybody):
    tempfile.tempdir = request["scratch"]
    if request["killed"]:
        DiskStore.put = killed_at_the_fourth_batch
    losses = []
    for bert in request["trainings"]:
        everybody.wait(timeout=200)
        losses.append(run(bert))
    with open(result, "w") as file:
        json.dump(losses, file)

fork, codes = multiprocessing.get_context("fork"), []
for group, requests in enumerate(json.loads(sys.argv[1])):
    everybody = fork.Barrier(len(requests))
    arguments = [(request, f"losses-{group}-{number}", everybody) for number, request in enumerate(requests)]
    processes = [fork.Process(target=child, args=given, daemon=True) for given in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    codes.append([process.exitcode for process in processes])
print(json.dumps(codes))
"""


class Trained:
    """What processes left behind.

    Attributes:
        folder: With folders that were kept, and those of scratch folders.
        codes: Exit codes: of a process that was killed with a folder that is kept and of one without, and of two that
            trained at once, twice.
    """

    def __init__(self, folder: Path, hub: str, **splits: Rows) -> None:
        self.folder = folder
        for name, rows in splits.items():
            np.savez(folder / name, word_ids=rows.word_ids, offsets=rows.offsets, labels=rows.labels)
        bert = {"hub": hub, "freeze": list(HALF), "epochs": 3, "dropout": 0.1, "prefix_cache": "disk", **SETTINGS}

        def request(scratch: str, *kept: str | None, killed: bool = False) -> dict[str, Any]:
            (folder / scratch).mkdir(exist_ok=True)
            trainings = [bert | ({"prefix_cache_dir": str(folder / name)} if name else {}) for name in kept]
            return {"scratch": str(folder / scratch), "trainings": trainings, "killed": killed}

        killed = [request(f"killed-{kept}", "kept" if kept else None, killed=True) for kept in (True, False)]
        # With one folder that is kept, and then with the same name for their scratch folders.
        at_once = [request("at-once", "kept-at-once", None) for _ in range(2)]
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, json.dumps([killed, at_once])],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), "CONFTEST": str(Path(__file__).with_name("conftest.py"))},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        self.codes: list[list[int]] = json.loads(done.stdout)
        assert self.codes == [[-signal.SIGKILL] * 2, [0, 0]], done.stderr[-3000:]

    def losses(self) -> list[list[list[float]]]:
        """The losses of each training of each process that wasn't killed."""
        return [json.loads((self.folder / f"losses-1-{number}").read_text()) for number in range(2)]

    def left(self, scratch: str) -> list[Path]:
        """What is in scratch folders, but for a killed process' copy of its model, which the next process removes."""
        parent = self.folder / scratch
        files = [path for path in parent.rglob("*") if path.parent != parent and path.suffix != ".pyc"]
        return [path for path in files if not path.relative_to(parent).parts[1].startswith("models")]


@pytest.fixture(scope="module")
def trained(
    two_block_model: HubModel, train_rows: Rows, eval_rows: Rows, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"), two_block_model.handle, train=train_rows, eval=eval_rows)


@pytest.mark.parametrize("kept", [False, True])
def test_what_a_killed_run_had_encoded_is_taken_up_by_the_next(
    kept: bool,
    trained: Trained,
    run: Callable[..., Any],
    plain: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scratch = f"killed-{kept}"
    monkeypatch.setattr("tempfile.tempdir", str(trained.folder / scratch))
    paths = list((trained.folder / ("kept" if kept else scratch)).rglob("*.segment"))
    assert len(paths) == 3
    stored = 0
    for path in paths:
        with path.open("rb") as file:
            stored += read_header(file).rows
    more = {"prefix_cache_dir": str(trained.folder / "kept")} if kept else {}
    seen = run(HALF, prefix_cache="disk", **more)
    assert [len(given) for given in seen.encoded] == [22 - stored, 9]
    assert 0 < stored < 22
    np.testing.assert_allclose(seen.losses, plain(HALF).losses, atol=1e-5, rtol=0)
    assert trained.left(scratch) == []


def test_two_runs_at_once_end_with_the_losses_of_one(trained: Trained, plain: Callable[..., Any]) -> None:
    for process in trained.losses():
        assert len(process) == 2
        for losses in process:
            np.testing.assert_allclose(losses, plain(HALF).losses, atol=1e-5, rtol=0)
    assert trained.left("at-once") == []
