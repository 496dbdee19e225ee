"""Real processes: one killed while it encodes, and two at once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.hub.hub_model import HubModel
from trainer_module.prefix_cache.segment_header import read_header
from trainer_module.training.rows import Rows

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[4]
HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})
SETTINGS = {"text": ["t"], "label": "l", "max_tokens": 16, "batch_size": 5, "learning_rate": 1e-3, "seed": 3}

TRAIN = """
import importlib.util, json, os, signal, sys
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
    train(classifier, rows(sys.argv[1]), rows(sys.argv[2]), settings, plan, sys.argv[3])
    print(json.dumps(seen.losses), flush=True)

for bert in json.loads(sys.argv[4]):
    print("ready", flush=True)
    sys.stdin.readline()
    run(bert)
"""
KILLED_AT_THE_FOURTH_BATCH = """
put, puts = DiskStore.put, []
def counted(self, *args):
    puts.append(len(args[0]))
    if len(puts) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    put(self, *args)
DiskStore.put = counted
"""


@pytest.fixture
def start(
    tiny_model: HubModel, train_rows: Rows, eval_rows: Rows, tmp_path: Path, scratch_parent: Path
) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts a process that trains once for each dict of settings, each time after it was given a line."""
    for name, rows in {"train": train_rows, "eval": eval_rows}.items():
        np.savez(tmp_path / name, word_ids=rows.word_ids, offsets=rows.offsets, labels=rows.labels)

    def make(*trainings: dict[str, Any], before: str = "") -> "subprocess.Popen[str]":
        bert = {"hub": tiny_model.handle, "freeze": list(HALF), "epochs": 3, "dropout": 0.1, **SETTINGS}
        settings = json.dumps([bert | more for more in trainings])
        arguments = [str(tmp_path / name) for name in ("train.npz", "eval.npz", "logs")]
        environment = {
            "PYTHONPATH": str(REPOSITORY),
            "TMPDIR": str(scratch_parent),
            "CONFTEST": str(Path(__file__).with_name("conftest.py")),
        }
        code = TRAIN.replace("\nfor bert in", f"\n{before}\nfor bert in")
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments, settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        started.append(process)
        return process

    started: list[subprocess.Popen[str]] = []
    yield make
    for process in started:
        process.kill()
        process.communicate()


def go(*processes: "subprocess.Popen[str]") -> None:
    """Lets all of them train at the same time."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def losses(process: "subprocess.Popen[str]") -> list[float]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.parametrize("kept", [False, True])
def test_what_a_killed_run_had_encoded_is_taken_up_by_the_next(
    kept: bool, start: Callable[..., Any], run: Callable[..., Any], scratch_parent: Path, tmp_path: Path
) -> None:
    more = {"prefix_cache": "disk"} | ({"prefix_cache_dir": str(tmp_path / "kept")} if kept else {})
    process = start(more, before=KILLED_AT_THE_FOURTH_BATCH)
    go(process)
    assert process.wait(timeout=300) == -signal.SIGKILL
    paths = list((tmp_path / "kept" if kept else scratch_parent).rglob("*.segment"))
    assert len(paths) == 3
    stored = 0
    for path in paths:
        with path.open("rb") as file:
            stored += read_header(file).rows
    seen = run(HALF, **more)
    assert [len(given) for given in seen.encoded] == [22 - stored, 9]
    assert 0 < stored < 22
    plain = run(HALF, prefix_cache="off")
    np.testing.assert_allclose(seen.losses, plain.losses, atol=1e-5, rtol=0)
    left = [path for path in scratch_parent.rglob("*") if path.parent != scratch_parent and path.suffix != ".pyc"]
    # The killed process' copy of its model stays until the next process opens one.
    assert [path for path in left if not path.relative_to(scratch_parent).parts[1].startswith("models")] == []


def test_two_runs_at_once_end_with_the_losses_of_one(
    start: Callable[..., Any], run: Callable[..., Any], scratch_parent: Path, tmp_path: Path
) -> None:
    """With one folder that is kept, and then with the same name for their scratch folders."""
    trainings = [{"prefix_cache": "disk", "prefix_cache_dir": str(tmp_path / "kept")}, {"prefix_cache": "disk"}]
    processes = [start(*trainings) for _ in range(2)]
    expected = run(HALF, prefix_cache="off").losses
    for _ in trainings:
        go(*processes)
        for process in processes:
            np.testing.assert_allclose(losses(process), expected, atol=1e-5, rtol=0)
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    left = [path for path in scratch_parent.rglob("*") if path.parent != scratch_parent and path.suffix != ".pyc"]
    assert left == []
