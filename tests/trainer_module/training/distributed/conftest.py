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

    def __call__(self, *trainings: dict[str, Any], workers: int = 1, **request: Any) -> list[list[dict[str, Any]]]:
        """What was seen of each training, for each worker."""
        request_file = self.folder / "request.json"
        request_file.write_text(json.dumps(self._request | request | {"trainings": trainings}))
        cluster = {"worker": [f"127.0.0.1:{free_port()}" for _ in range(workers)]}
        results, processes = [], []
        for index in range(workers):
            results.append(self.folder / f"result{index}.json")
            temporary = self.folder / f"tmp{index}"
            temporary.mkdir(exist_ok=True)
            environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(temporary)}
            if workers > 1:
                task = {"type": "worker", "index": index}
                environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
            log = (self.folder / f"log{index}").open("w")
            command = [
                sys.executable,
                str(Path(__file__).with_name("trainings.py")),
                str(request_file),
                str(results[-1]),
            ]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        try:
            codes = [process.wait(timeout=400) for process in processes]
        finally:
            for process in processes:
                process.kill()
        logs = [(self.folder / f"log{index}").read_text()[-3000:] for index in range(workers)]
        assert codes == [0] * workers, "\n".join(logs)
        return [json.loads(result.read_text()) for result in results]


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
def settings(reviews: Any) -> Callable[..., dict[str, Any]]:
    """Settings for the 64 reviews: batches of 9, and a last one of a single row, which two devices can't share."""

    def make(**more: Any) -> dict[str, Any]:
        bert: dict[str, Any] = reviews.settings.to_custom_config()["bert"]
        bert |= {"epochs": 2, "batch_size": 9, "learning_rate": 1e-3, "dropout": 0.0, "seed": 3, **more}
        return {"bert": bert}

    return make
