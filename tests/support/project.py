"""Small pipelines: their config files, and runs of them in this process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config_file import load_config
from pipeline.run_result import RunResult
from pipeline.runners.local import Runner, run_pipeline

SMALL_CONFIG = """
[data]
train = "train.csv"
eval = "eval.csv"
text = ["text"]
label = "label"

[model]
hub = "HUB"
max_tokens = 16
freeze = FREEZE

[train]
epochs = 1
"""
FOUR_ROWS = "text,label\ngood film,pos\nbad film,neg\nfine story,pos\nawful,neg\n"


class Events:
    """What a listener hears of a run."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def started(self, component: str, run_id: str) -> None:
        self.heard.append(("started", component))

    def ended(self, component: str, seconds: float) -> None:
        self.heard.append(("ended", component))

    def failed(self, component: str, error: Exception) -> None:
        self.heard.append(("failed", component))


class Project:
    """A folder with one config file, what it reads, and what it makes.

    Args:
        folder: Must exist.
        config: TOML.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self.folder = folder
        self.config_file = folder / "mine.toml"
        self.config_file.write_text(config, encoding="utf-8")
        self.events = Events()

    @property
    def serving(self) -> Path:
        return self.folder / "serving"

    @property
    def artifacts(self) -> Path:
        return self.folder / "run" / "artifacts"

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    def append(self, name: str, lines: str, encoding: str = "utf-8") -> None:
        with (self.folder / name).open("a", encoding=encoding, newline="") as file:
            file.write(lines)

    def run(self, *overrides: str, runner: Runner = "beam") -> RunResult:
        """Runs the pipeline; `events` then holds what the listener heard."""
        self.events = Events()
        return run_pipeline(load_config(self.config_file, overrides), self.events, runner=runner, log_file="the.log")

    def pushed(self) -> list[str]:
        """The versions in the serving folder."""
        return sorted(path.name for path in self.serving.iterdir()) if self.serving.exists() else []


MakeProject = Callable[[str], Project]


@pytest.fixture(scope="module")
def make_project(tmp_path_factory: pytest.TempPathFactory, tiny_hub: Path) -> MakeProject:
    """Makes a project of a config to which `[pipeline]`, `[push]` and `[evaluate]` are added.

    `HUB` in the config is the tiny model. Its weights are random, so nothing trained from it need be better than
    guessing, unless the config has a section `[evaluate]` of its own.
    """

    def make(config: str) -> Project:
        folder = tmp_path_factory.mktemp("project").resolve()
        sections = ['[pipeline]\nname = "mine"\nroot = "run"', '[push]\ndirectory = "serving"', config]
        if "[evaluate]" not in config:
            sections.append("[evaluate]\nmust_beat_baseline = false")
        return Project(folder, "\n\n".join(sections).replace("HUB", str(tiny_hub)))

    return make


@pytest.fixture(scope="module")
def make_small_project(make_project: MakeProject) -> Callable[..., Project]:
    """Makes a project with four rows of two classes, for training and evaluation; `freeze` is TOML."""

    def make(freeze: str = "[]", hub: str = "HUB") -> Project:
        project = make_project(SMALL_CONFIG.replace("FREEZE", freeze).replace("HUB", hub))
        for name in ("train.csv", "eval.csv"):
            project.write(name, FOUR_ROWS)
        return project

    return make
