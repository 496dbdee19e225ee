"""A run trains by its rules on real rows and is measured on all test rows."""

from pathlib import Path

import pytest

from benchmarks.freeze_study.design import DataSet, Level
from benchmarks.freeze_study.one_run import run_once
from benchmarks.freeze_study.token_rows import TokenRows, read_token_rows
from pipeline.config import PipelineConfig
from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

TICKETS = Path(__file__).resolve().parents[3] / "examples" / "support_tickets.csv"


@pytest.fixture(scope="module")
def config(tiny_hub: Path) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "pipeline": {"name": "tickets", "root": "unused"},
            "data": {"train": str(TICKETS), "eval": str(TICKETS), "text": ["text"], "label": "topic"},
            "model": {"hub": str(tiny_hub), "max_tokens": 24, "pooling": "mean"},
            "train": {"batch_size": 64},
        }
    )


@pytest.fixture(scope="module")
def hub_model(config: PipelineConfig) -> HubModel:
    return HubModel.from_settings(config.model)


@pytest.fixture(scope="module")
def rows(config: PipelineConfig, hub_model: HubModel) -> TokenRows:
    return read_token_rows(config, hub_model, 128)


def test_the_sample_is_the_same_each_time_and_the_test_set_whole(
    config: PipelineConfig, hub_model: HubModel, rows: TokenRows
) -> None:
    again = read_token_rows(config, hub_model, 128)
    assert (len(rows.train), len(rows.test), rows.classes) == (128, 3200, 8)
    assert rows.train.word_ids.tolist() == again.train.word_ids.tolist()
    assert rows.train.labels.tolist() == again.train.labels.tolist()
    assert rows.train.lengths.max() <= 24


def test_a_run_trains_by_its_rules(config: PipelineConfig, hub_model: HubModel, rows: TokenRows) -> None:
    level = Level("a third", share=0.3, learning_rate=1e-3)
    run = run_once(DataSet("any.toml", "tickets", 128, 2), level, 1, config.bert_settings(), hub_model, rows)
    assert (run.data_set, run.level, run.seed) == ("tickets", "a third", 1)
    assert (run.train_rows, run.epochs, run.learning_rate) == (128, 2, 1e-3)
    assert run.rules == ["freeze embeddings", "freeze encoder[:1]"]
    layout = hub_model.layout
    read = layout.parameters - sum(variable.parameters for variable in layout.in_block("pooler"))
    frozen = sum(variable.parameters for part in ("embeddings", "encoder[0]") for variable in layout.in_block(part))
    assert run.frozen_share == pytest.approx(frozen / read)
    assert 0 <= run.accuracy <= 1 and run.seconds > 0 and 0 <= run.busy_elsewhere < 1
