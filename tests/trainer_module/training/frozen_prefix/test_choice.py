"""Where the prefix's output goes is decided by its size, which is known, and logged, before anything is computed."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.prefix_cache.disk_store import DiskStore
from trainer_module.prefix_cache.memory_store import MemoryStore
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.cached_rows import CachedRows
from trainer_module.training.frozen_prefix.prefix_cache import PrefixCache, Split
from trainer_module.training.rows import Rows
from trainer_module.training.schedule import Schedule

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})
ALL = ({"freeze": "all"},)
MIB = 2**20
TOKENS = 2 * MIB // (32 * 4)  # that take 2 MiB in the tiny encoder's width


class Chosen(NamedTuple):
    messages: list[str]
    sources: list[Any]


@pytest.fixture
def choose(
    tiny_model: HubModel,
    tiny_encoder: Callable[..., Any],
    make_rows: Callable[..., Rows],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Chosen]:
    """What is chosen for so many training rows of 16 tokens, and one to evaluate on; what was said before that."""

    def make(rules: Any, count: int, **more: Any) -> Chosen:
        bert = {"hub": tiny_model.handle, "freeze": list(rules), "text": ["t"], "label": "l", "max_tokens": 16}
        settings = BertSettings.from_custom_config({"bert": bert | more})
        plan = plan_freeze(settings, tiny_model)
        classifier = BertClassifier(
            tiny_encoder(*rules, pooling=settings.pooling).encoder,
            outputs=2,
            pooling=settings.pooling,
            dropout=0.1,
            seed=0,
        )
        classifier.encoder.compute_in(tf.as_dtype(settings.compute_dtype))
        ids = np.arange(16 * count, dtype=np.int32) % 60
        rows = Rows(ids, None, np.arange(count + 1) * 16, np.zeros(count, np.int64))
        schedule = Schedule(settings, rows.lengths)
        stages = schedule.stages(plan)
        splits = [
            Split("train", rows, schedule.visited, schedule.epochs),
            Split("eval", make_rows([2] * 16), np.arange(1), schedule.epochs),
        ]
        with caplog.at_level(logging.INFO, "permafrost.prefix_cache"):
            caplog.clear()
            with PrefixCache(classifier, settings, plan, splits, stages) as cache:
                messages = [record.getMessage() for record in caplog.records]
                sources = cache.sources(stages[0])
                stores = [source._store if isinstance(source, CachedRows) else None for source in sources]
        return Chosen(messages, [type(store) for store in stores])

    return make


ROWS = TOKENS // 16 - 1  # and one to evaluate on

NONE = type(None)


@pytest.mark.parametrize(
    ("count", "more", "store", "said"),
    [
        (ROWS, {}, MemoryStore, "2 MiB in memory"),
        (ROWS + 1, {}, DiskStore, "2 MiB on disk (train.prefix_cache_mb is 2)"),
        (2 * ROWS + 1, {"compute_dtype": "bfloat16"}, MemoryStore, "2 MiB in memory"),
        (2 * ROWS + 2, {"compute_dtype": "bfloat16"}, DiskStore, "2 MiB on disk (train.prefix_cache_mb is 2)"),
        (ROWS + 1, {"prefix_cache_mb": 3}, MemoryStore, "2 MiB in memory"),
    ],
)
def test_in_memory_up_to_the_limit_and_on_disk_beyond(
    choose: Callable[..., Chosen], count: int, more: dict[str, Any], store: type, said: str
) -> None:
    chosen = choose(HALF, count, **{"prefix_cache_mb": 2} | more)
    assert chosen.messages == [f"prefix cache: {said}"]
    assert chosen.sources == [store, store]


@pytest.mark.slow
def test_of_a_whole_encoder_one_float32_vector_a_row_is_kept(choose: Callable[..., Chosen]) -> None:
    for dtype in ("float32", "bfloat16"):
        more = {"prefix_cache_mb": 1, "compute_dtype": dtype}
        assert choose(ALL, MIB // (32 * 4) - 1, **more).sources == [MemoryStore, MemoryStore]
        assert choose(ALL, MIB // (32 * 4), **more).sources == [DiskStore, DiskStore]


def test_a_stages_longer_prefix_counts_beside_that_of_all_stages(choose: Callable[..., Chosen]) -> None:
    rules = (*HALF[:1], {"freeze": "encoder[:2]", "until_epoch": 2})
    assert choose(rules, ROWS, prefix_cache_mb=4).sources == [MemoryStore, MemoryStore]
    assert choose(rules, ROWS + 1, prefix_cache_mb=4).sources == [DiskStore, DiskStore]


def test_but_a_stage_of_one_epoch_has_none_as_it_would_save_nothing(choose: Callable[..., Chosen]) -> None:
    rules = (*HALF[:1], {"freeze": "encoder[:2]", "until_epoch": 1})
    assert choose(rules, ROWS, prefix_cache_mb=2).sources == [MemoryStore, MemoryStore]
    assert choose(rules, ROWS + 1, prefix_cache_mb=2).sources == [DiskStore, DiskStore]


@pytest.mark.parametrize("more", [{"epochs": 1}, {"steps": 1, "batch_size": 4}, {"prefix_cache": "off"}])
def test_rows_that_are_read_once_are_not_kept(choose: Callable[..., Chosen], more: dict[str, Any]) -> None:
    assert choose(HALF, 8, **more).sources == [NONE, NONE]


def test_but_they_are_for_later_runs(choose: Callable[..., Chosen], tmp_path: Path) -> None:
    chosen = choose(HALF, ROWS, epochs=1, prefix_cache_dir=str(tmp_path / "kept"))
    assert chosen.sources == [DiskStore, DiskStore]
    assert chosen.messages == [f"prefix cache: 2 MiB in {tmp_path / 'kept'}, for later runs too"]


def test_what_fits_neither_is_computed_in_every_epoch(
    choose: Callable[..., Chosen], monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(size: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, size))

    free(3 * MIB)
    assert choose(HALF, ROWS, prefix_cache_mb=1).sources == [DiskStore, DiskStore]
    free(2 * MIB)
    chosen = choose(HALF, ROWS, prefix_cache_mb=1)
    assert chosen.sources == [NONE, NONE]
    assert chosen.messages == [
        "prefix cache: 2 MiB would fit neither memory nor disk (2 MiB free): computed in every epoch"
    ]


@pytest.mark.parametrize(("form", "store"), [("memory", MemoryStore), ("disk", DiskStore)])
def test_what_is_asked_for_is_done(choose: Callable[..., Chosen], form: str, store: type) -> None:
    chosen = choose(HALF, ROWS, prefix_cache=form, prefix_cache_mb=1, epochs=1)
    assert chosen.sources == [store, store]


def test_where_the_embeddings_train_there_is_nothing_to_keep(choose: Callable[..., Chosen]) -> None:
    for form in ("auto", "memory", "disk"):
        assert choose((), 8, prefix_cache=form) == Chosen([], [NONE, NONE])
