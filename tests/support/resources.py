"""Frees what a test leaves behind, and measures what each test file costs.

TensorFlow's graphs, Keras models and loaded SavedModels hang on reference cycles, and Python looks for garbage among
old objects rarely when there are many of them: without this a test process grows to 11 GiB. `--costs=FILE` writes one
JSON line per test file: path, seconds, seconds of processor time, resident MiB before and after it, and the process's
peak so far.
"""

import ctypes
import gc
import json
import re
import resource
import sys
import time
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

MIB = 2**20
# Collecting takes 0.1 to 0.4 s, so not after each test that made little.
COLLECT_AFTER_MIB = 200
# TensorFlow registers these for ever, one or more for each function, and each holds a graph: 150 MiB a pipeline.
OWN_GRADIENTS = re.compile(r"(PartitionedCall|CustomGradient)-\d+")
# TensorFlow and TFX bring thousands of modules, whose objects never become garbage.
FREEZE_AFTER_MODULES = 500


class Resources:
    """The memory and time of this test process.

    Args:
        costs: The file to append each test file's costs to.
    """

    def __init__(self, costs: Path | None) -> None:
        self._costs = costs
        self._process = psutil.Process()
        self._freed_mib = self.resident_mib
        self._frozen_modules = 0
        self._begin_file()

    @property
    def resident_mib(self) -> int:
        return int(self._process.memory_info().rss // MIB)

    def after_test(self, path: Path) -> None:
        if self.resident_mib > self._freed_mib + COLLECT_AFTER_MIB:
            self._free(path)

    def after_file(self, path: Path) -> None:
        self._free(path)
        if len(sys.modules) > self._frozen_modules + FREEZE_AFTER_MODULES:
            gc.freeze()
            self._frozen_modules = len(sys.modules)
        if self._costs:
            seconds, processor = time.perf_counter() - self._began, self._processor_seconds() - self._processor_began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            line = [str(path), round(seconds, 1), round(processor, 1), self._before_mib, self.resident_mib, peak]
            with self._costs.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        self._begin_file()

    def _begin_file(self) -> None:
        self._began, self._processor_began = time.perf_counter(), self._processor_seconds()
        self._before_mib = self.resident_mib

    def _free(self, path: Path) -> None:
        if "tf_keras" in sys.modules:
            sys.modules["tf_keras"].backend.clear_session()
        # Elsewhere, fixtures of the session hold functions whose gradients later tests ask for.
        if "tensorflow" in sys.modules and path.is_relative_to("tests/end_to_end"):
            from tensorflow.python.framework import ops

            registered = ops.gradient_registry._registry
            for name in filter(OWN_GRADIENTS.fullmatch, list(registered)):
                del registered[name]
        gc.collect()
        # What was freed in small pieces is given back to the system only when asked for.
        ctypes.CDLL(None).malloc_trim(0)
        self._freed_mib = self.resident_mib

    @staticmethod
    def _processor_seconds() -> float:
        own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


_RESOURCES = pytest.StashKey[Resources]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--costs", type=Path, help="append what each test file costs to this file, one JSON line each")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RESOURCES] = Resources(config.getoption("--costs"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """After the teardown of what the next test doesn't use."""
    done = yield
    resources, path = item.config.stash[_RESOURCES], item.path.relative_to(item.config.rootpath)
    if nextitem is None or nextitem.path != item.path:
        resources.after_file(path)
    else:
        resources.after_test(path)
    return done
