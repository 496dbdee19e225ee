"""Training in bfloat16: weights and their slots stay float32, stored activations take half the room."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.encoder.probe import probe_batch
from trainer_module.hub.hub_model import HubModel
from trainer_module.prefix_cache.segment_header import read_header
from trainer_module.training.rows import Rows

pytestmark = pytest.mark.slow

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[0]"})


@dataclass(frozen=True)
class Half:
    """Two trainings in bfloat16 of what half of the encoder leaves.

    Attributes:
        seen: Without the cache.
        cached: With it; it was kept in a folder, too.
        folder: Where that is.
    """

    seen: Any
    cached: Any
    folder: Path


@pytest.fixture(scope="module")
def half(run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Half:
    kept = tmp_path_factory.mktemp("kept")
    seen = run(HALF, prefix_cache="off", compute_dtype="bfloat16")
    cached = run(HALF, prefix_cache="memory", prefix_cache_dir=str(kept), compute_dtype="bfloat16")
    return Half(seen, cached, kept)


def check_near(seen: Any, plain: Any, hub: HubModel) -> None:
    """Near float32's losses, but not the same; and what is kept of weights is float32's."""
    np.testing.assert_allclose(seen.losses, plain.losses, rtol=0.08)
    assert seen.losses != plain.losses
    for variable in [*seen.classifier.variables, *seen.classifier.optimizer.variables]:
        assert variable.dtype in (tf.float32, tf.int64), variable.name
    variables = seen.classifier.encoder.hub_variables
    assert all(np.array_equal(variables[name], hub.weights[name]) for name in seen.plan.frozen_names)


def check_same(cached: Any, seen: Any) -> None:
    """The same numbers are rounded in both; how a sum is ordered depends on the padding beside a row."""
    np.testing.assert_allclose(cached.losses, seen.losses, rtol=2e-3)


def test_the_losses_stay_near_where_everything_trains(
    run: Callable[..., Any], plain: Callable[..., Any], two_block_model: HubModel
) -> None:
    more = {"dropout": 0.0, "epochs": 8}
    check_near(run((), compute_dtype="bfloat16", **more), plain((), **more), two_block_model)


def test_the_losses_stay_near_and_are_the_same_with_and_without_the_cache(
    half: Half, plain: Callable[..., Any], two_block_model: HubModel
) -> None:
    check_near(half.seen, plain(HALF), two_block_model)
    check_same(half.cached, half.seen)
    assert half.seen.traces == half.cached.traces == [1]


def test_so_they_do_where_all_is_frozen(
    run: Callable[..., Any], plain: Callable[..., Any], two_block_model: HubModel
) -> None:
    rules = ({"freeze": "all"},)
    seen, cached = (run(rules, prefix_cache=form, compute_dtype="bfloat16") for form in ("off", "memory"))
    check_near(seen, plain(rules), two_block_model)
    check_same(cached, seen)


def test_predictions_after_training_are_float32s(half: Half, two_block_model: HubModel) -> None:
    batch = probe_batch(two_block_model.layout)
    encoder = half.cached.classifier.encoder
    assert {part.dtype for part in encoder.run_parts(batch, 0, encoder.parts)} == {tf.float32}
    logits = half.cached.classifier(batch)
    assert logits.dtype == tf.float32
    encoder.compute_in(tf.bfloat16)
    assert not np.array_equal(half.cached.classifier(batch), logits)


def test_activations_take_half_the_room(half: Half, run: Callable[..., Any], tmp_path: Path, train_rows: Rows) -> None:
    run(HALF, prefix_cache_dir=str(tmp_path), instead=lambda: None)
    sizes = []
    for kept in (tmp_path, half.folder):
        headers = []
        for path in kept.rglob("*.segment"):
            with path.open("rb") as file:
                headers.append(read_header(file))
        assert max(header.tokens for header in headers) == train_rows.lengths.sum()
        sizes.append(sum(header.file_bytes - header.values_offset for header in headers))
    assert sizes[0] == 2 * sizes[1] > 0


def test_pooled_vectors_computed_in_one_dtype_are_not_read_in_the_other(
    run: Callable[..., Any], plain: Callable[..., Any], tmp_path: Path
) -> None:
    """They are stored as float32 in both."""
    rules = ({"freeze": "all"},)
    more = {"prefix_cache_dir": str(tmp_path / "kept"), "pooling": "mean"}
    first = run(rules, instead=lambda: None, **more)
    rounded = run(rules, instead=lambda: None, compute_dtype="bfloat16", **more)
    again = run(rules, **more)
    assert [len(given) for seen in (first, rounded, again) for given in seen.encoded] == [22, 9, 22, 9, 0, 0]
    np.testing.assert_allclose(again.losses, plain(rules, pooling="mean").losses, atol=1e-5, rtol=0)
