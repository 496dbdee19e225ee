"""A run goes through the whole pipeline, measures every component, and leaves nothing behind."""

import tempfile
from pathlib import Path

import pytest

from benchmarks.scale import one_run
from pipeline.config_file import load_config
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


@pytest.mark.slow
def test_every_component_is_measured(
    temporary: Path, tiny_hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "tiny.toml"
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
    source = tmp_path / "source.tsv"
    source.write_text("the film is very good and the story too\t1\nthe film is bad and so very long\t0\n" * 3)
    monkeypatch.setattr(one_run, "CONFIG", config)
    monkeypatch.setattr(one_run, "SOURCE", source)
    run = one_run.run_once(600)
    assert run.rows == 600
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
    assert 0 < sum(cost.seconds for cost in run.components) <= run.seconds * 1.01
    assert all(0 < cost.start_rss_mb <= cost.peak_rss_mb <= run.peak_rss_mb for cost in run.components)
    assert list(temporary.glob("permafrost-scale-*")) == []
