"""Checks of the machine: memory, and the folders that a pipeline writes to."""

import shutil
from pathlib import Path

from rich.filesize import decimal

from pipeline.doctor.examination import Finding, ok, problem, warning
from pipeline.folders import ADVICE, folder_problem, nearest

_GB = 10**9
# A quickstart run peaks at 3 GB, TFX and TensorFlow included; BERT-base at twice that.
_LEAST_MEMORY, _ENOUGH_MEMORY = 3 * _GB, 8 * _GB
# A run of BERT-base leaves 2 GB: model, exported model, examples.
_LEAST_DISK, _ENOUGH_DISK = 1 * _GB, 5 * _GB


def check_memory(least: int = _LEAST_MEMORY, enough: int = _ENOUGH_MEMORY) -> Finding:
    """Memory that a process can still get, by the system and by the container that it runs in.

    Args:
        least: Bytes, below which nothing works.
        enough: Bytes, below which it may not.
    """
    free = _free_memory()
    found = f"{decimal(free)} free"
    if free < least:
        return problem(found, f"a run needs {decimal(least)} at least: end other programs, or take a larger machine")
    if free < enough:
        return warning(found, f"BERT-base needs {decimal(enough)}: take a smaller model or train.batch_size")
    return ok(found)


def check_folder(path: str, least: int = _LEAST_DISK, enough: int = _ENOUGH_DISK) -> Finding:
    """Whether a folder can be made and written, and has room. Leaves nothing behind.

    Args:
        path: Need not exist yet.
        least: Bytes, below which nothing works.
        enough: Bytes, below which it may not.
    """
    if found := folder_problem(path):
        return problem(found, ADVICE)
    free = shutil.disk_usage(nearest(Path(path))).free
    found = f"{path} can be written; {decimal(free)} free"
    if free < least:
        return problem(found, f"a run needs {decimal(least)} at least: make room, or name another folder")
    if free < enough:
        return warning(found, f"a few runs of BERT-base fill {decimal(enough)}: make room, or name another folder")
    return ok(found)


def _free_memory() -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    limits = [kilobytes["MemAvailable"] * 1024]
    group = Path("/sys/fs/cgroup")
    limit, used = group / "memory.max", group / "memory.current"
    if limit.is_file() and used.is_file() and limit.read_text().strip() != "max":
        limits.append(int(limit.read_text()) - int(used.read_text()))
    return max(0, min(limits))
