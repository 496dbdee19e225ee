"""A run goes through the whole pipeline, measures every component, and leaves nothing behind."""

import tempfile
import time
from pathlib import Path

import pytest

from benchmarks.scale import one_run
from benchmarks.scale.component_costs import CostWatch
from pipeline.config import PipelineConfig
from pipeline.config_file import load_config
from pipeline.runners import local
from trainer_module.errors import UserError


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_pipeline_is_as_a_user_would_have_it() -> None:
    config = load_config(one_run.CONFIG)
    assert config.data.eval_fraction == 0.2
    assert config.train.steps == 100


def test_missing_data_is_named_and_leaves_nothing_behind(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "SOURCE", temporary / "nowhere.tsv")
    with pytest.raises(UserError, match=r"nowhere\.tsv, which isn't there"):
        one_run.run_once(1000)
    assert list(temporary.glob("permafrost-scale-*")) == []


@pytest.fixture
def small(temporary: Path, tiny_hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another model, and two rows that are repeated."""
    config = temporary / "tiny.toml"
    text = one_run.CONFIG.read_text(encoding="utf-8")
    changes = {
        '"../../../shared/hub_models/bert_relu_L-2_H-32"': f'"{tiny_hub}"',
        "max_tokens = 128": "max_tokens = 32",
        "steps = 100": "steps = 2",
    }
    for given, wanted in changes.items():
        assert given in text
        text = text.replace(given, wanted)
    config.write_text(text, encoding="utf-8")
    source = temporary / "source.tsv"
    source.write_text("the film is very good and the story too\t1\nthe film is bad and so very long\t0\n" * 3)
    monkeypatch.setattr(one_run, "CONFIG", config)
    monkeypatch.setattr(one_run, "SOURCE", source)


def check(run: one_run.ScaleRun, temporary: Path) -> None:
    assert run.rows == 600
    assert 0 < sum(cost.seconds for cost in run.components) <= run.seconds * 1.01
    assert all(0 < cost.start_rss_mb <= cost.peak_rss_mb <= run.peak_rss_mb for cost in run.components)
    assert list(temporary.glob("permafrost-scale-*")) == []


def test_what_runs_is_measured_and_removed(small: None, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def run_pipeline(config: PipelineConfig, listener: CostWatch) -> None:
        read.extend(Path(config.data.train).read_text(encoding="utf-8").splitlines())
        for component in ("ExampleGen", "Trainer"):
            listener.started(component, "run-1")
            time.sleep(0.01)
            listener.ended(component, 0.01)

    monkeypatch.setattr(local, "run_pipeline", run_pipeline)
    run = one_run.run_once(600)
    assert len(read) == 600
    assert [cost.component for cost in run.components] == ["ExampleGen", "Trainer"]
    check(run, temporary)


@pytest.mark.soak
def test_every_component_is_measured(small: None, temporary: Path) -> None:
    run = one_run.run_once(600)
    assert {cost.component for cost in run.components} >= {
        "FreezePlanner",
        "ExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "DataProfile",
        "DataGate",
        "Transform",
        "Trainer",
        "Evaluator",
        "FreezeAudit",
        "ReleaseGate",
        "Pusher",
    }
    check(run, temporary)
