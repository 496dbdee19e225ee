"""A reader of the serving folder, as TensorFlow Serving is one: it looks all the time."""

import threading
from pathlib import Path

from components.atomic_pusher.serving_folder import versions

_PAUSE = 0.02  # seconds
_MUST_BE_THERE = ("saved_model.pb", "variables/variables.index", "assets.extra/pushed_from.json")

Files = dict[str, int]


class ServingWatch:
    """Looks at each version from the moment it appears: it must be whole then, and never change.

    Args:
        folder: The serving folder.

    Attributes:
        complaints: What was seen that must not be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[int, Files] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.complaints: list[str] = []

    def __enter__(self) -> "ServingWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(_PAUSE):
            for version, path in versions(str(self._folder)).items():
                self._look(version, Path(path))

    def _look(self, version: int, path: Path) -> None:
        files = _files(path)
        if version not in self._seen:
            self._seen[version] = files
            missing = [name for name in _MUST_BE_THERE if name not in files]
            if missing:
                self._complain(f"version {version} appeared without {', '.join(missing)}")
        elif files != self._seen[version] and path.exists():
            self._complain(f"version {version} changed while it could be read")

    def _complain(self, complaint: str) -> None:
        if complaint not in self.complaints:
            self.complaints.append(complaint)


def _files(folder: Path) -> Files:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.stat().st_size
    return found
