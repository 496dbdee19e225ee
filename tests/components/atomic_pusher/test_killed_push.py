"""Pushes that are killed at any moment, while a server reads the folder: it never sees half a model."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorflow as tf

from components.atomic_pusher.push import push
from components.atomic_pusher.serving_folder import versions

pytestmark = pytest.mark.slow

# Pushes one model after the other, each time in a process of its own that the test may kill. Another process reads as
# TensorFlow Serving does: it looks at the folder over and over, and loads what it hasn't seen.
PROGRAM = """
import json, os, sys, time
import tensorflow as tf
from components.atomic_pusher.push import push

model, folder, expected, told = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]
parent = os.getpid()

def files(version):
    found = {}
    for parent, _, names in os.walk(version):
        for name in names:
            file = os.path.join(parent, name)
            found[os.path.relpath(file, version)] = os.stat(file).st_size
    found.pop("assets.extra/pushed_from.json")
    return found

def read():
    seen, problems, rounds = set(), [], 0
    while not os.path.exists(folder + ".stop") and os.getppid() == parent:
        rounds += 1
        for name in sorted(os.listdir(folder)):
            if name in seen or not name.isdigit():
                continue
            version = os.path.join(folder, name)
            try:
                found = files(version)
                answer = tf.saved_model.load(version).signatures["serving_default"](tf.constant([1.0, 2.0]))["y"]
                seen.add(name)
                if found != expected:
                    problems.append([name, found])
                if answer.numpy().tolist() != [2.0, 4.0]:
                    problems.append([name, answer.numpy().tolist()])
            except Exception as error:
                # Pruned while it was read: then it is gone from one moment to the next.
                if os.path.exists(version):
                    problems.append([name, repr(error)])
    with open(told, "w") as file:
        json.dump({"seen": len(seen), "rounds": rounds, "problems": problems}, file)

# TensorFlow has started no threads before it computes something.
reader = os.fork()
if reader == 0:
    try:
        read()
    finally:
        os._exit(0)
print("ready", flush=True)
for line in sys.stdin:
    number, seconds = line.split()
    child = os.fork()
    if child == 0:
        try:
            push(model, folder, model_uri=number, model_id=int(number), keep_versions=2)
        finally:
            os._exit(0)
    time.sleep(float(seconds))
    ended, _ = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, 9)
        os.waitpid(child, 0)
    print("ended" if ended else "killed", flush=True)
os.waitpid(reader, 0)
"""


@pytest.fixture(scope="module")
def real_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel that doubles numbers, with 4 MB of variables beside."""
    module = tf.Module()
    module.factor = tf.Variable(2.0)
    module.ballast = tf.Variable(tf.random.stateless_uniform([1 << 20], [0, 1]))
    serve = tf.function(lambda x: {"y": x * module.factor}, input_signature=[tf.TensorSpec([None], tf.float32)])
    folder = tmp_path_factory.mktemp("model") / "Format-Serving"
    tf.saved_model.save(module, str(folder), signatures=serve)
    return folder


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts the program; it is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PROGRAM, *arguments]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for each in started:
        with each:
            each.kill()


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_a_reader_never_sees_half_a_model(
    real_model: Path, tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"], kills: int
) -> None:
    folder = tmp_path / "serving"
    folder.mkdir()
    expected = {
        str(path.relative_to(real_model)): path.stat().st_size for path in real_model.rglob("*") if path.is_file()
    }
    program = start(str(real_model), str(folder), json.dumps(expected), str(tmp_path / "told.json"))
    assert program.stdin is not None and program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    started = time.monotonic()
    push(str(real_model), str(folder), model_uri="first", model_id=0)
    longest = 1.5 * (time.monotonic() - started)

    seeded = random.Random(0)
    ends = []
    live = max(versions(str(folder)))
    for number in range(1, kills + 1):
        program.stdin.write(f"{number} {seeded.uniform(0.0, longest):.4f}\n")
        program.stdin.flush()
        ends.append(program.stdout.readline().strip())
        served = max(versions(str(folder)))
        assert served >= live, "what was live stays, or a newer one is"
        assert {path.name: path.stat().st_size for path in Path(folder, str(served)).glob("*.pb")} == {
            name: size for name, size in expected.items() if name.endswith(".pb")
        }
        live = served
    assert ends.count("killed") > kills // 4, "most were hit while they ran"

    last = push(str(real_model), str(folder), model_uri="last", model_id=1, keep_versions=2)
    assert last.version > live
    names = sorted(os.listdir(folder))
    assert names == [str(live), str(last.version)], "nothing is left of those that were killed"
    time.sleep(0.3)
    Path(f"{folder}.stop").touch()
    program.stdin.close()
    assert program.wait(timeout=30) == 0
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["problems"] == []
    assert told["seen"] > 1
    shutil.rmtree(folder)
