"""Starts processes that train, on several devices or as several workers."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.hub.hub_model import HubModel

REPOSITORY = Path(__file__).parents[4]
TOLERANCE = 2e-5
"""Between losses and metrics, absolute. Sums of floating-point numbers depend on their order, and Adam's first steps
divide small gradients by themselves."""


class Trainings:
    """Trains in other processes; see `trainings.py`.

    Args:
        folder: For requests and results.
        request: What all of them are told.
    """

    def __init__(self, folder: Path, request: dict[str, Any]) -> None:
        self.folder = folder
        self._request = request

    def __call__(self, *steps: dict[str, Any]) -> list[list[list[dict[str, Any]]]]:
        """What was seen in each step, by each of its workers, of each training.

        Args:
            steps: Done one after the other, in processes of their own. Each holds its `trainings`, and may hold
                `workers` and `devices`.
        """
        given = []
        for step in steps:
            workers = step.get("workers", 1)
            cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(workers)]}
            tasks = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(workers)]
            given.append(step | {"tf_configs": [json.dumps(task) for task in tasks] if workers > 1 else [None]})
        request_file = self.folder / "request.json"
        request_file.write_text(json.dumps(self._request | {"steps": given}))
        command = [sys.executable, str(Path(__file__).with_name("trainings.py")), str(request_file)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-6000:]
        results = []
        for number, step in enumerate(given):
            files = [self.folder / f"result{number}-{index}.json" for index in range(len(step["tf_configs"]))]
            results.append([json.loads(file.read_text()) for file in files])
        return results


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def check_same() -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Compares loss and metrics of every step and epoch of two trainings."""

    def check(ours: dict[str, Any], single: dict[str, Any]) -> None:
        assert len(ours["steps"]) == len(single["steps"]) > 10
        assert len({step["loss"] for step in single["steps"]}) > 10
        for kind in ("steps", "epochs"):
            for seen, expected in zip(ours[kind], single[kind], strict=True):
                assert set(seen) == set(expected)
                for name, value in expected.items():
                    np.testing.assert_allclose(seen[name], value, atol=TOLERANCE, rtol=0, err_msg=name)

    return check


@pytest.fixture(scope="module")
def trainings(reviews: Any, tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    folder = tmp_path_factory.mktemp("trainings")
    output = reviews.output.transform_savedmodel_dir
    return Trainings(
        folder,
        {
            "records": str(reviews.records),
            "transform_output": str(Path(output).parent),
            "logs": str(folder / "logs"),
        },
    )


@pytest.fixture(scope="module")
def settings(reviews: Any, one_block_model: HubModel) -> Callable[..., dict[str, Any]]:
    """Settings for the 64 reviews: batches of 9, and a last one of a single row, which two devices can't share."""

    def make(**more: Any) -> dict[str, Any]:
        bert: dict[str, Any] = reviews.settings.to_custom_config()["bert"]
        bert |= {
            "hub": one_block_model.handle,
            "epochs": 2,
            "batch_size": 9,
            "learning_rate": 1e-3,
            "dropout": 0.0,
            "seed": 3,
            **more,
        }
        return {"bert": bert}

    return make
