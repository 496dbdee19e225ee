"""Training in bfloat16: weights and their slots stay float32, stored activations take half the room."""

from collections.abc import Callable
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

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})


@pytest.mark.parametrize("rules", [(), HALF, ({"freeze": "all"},)], ids=["nothing", "half", "all"])
def test_the_losses_stay_near_and_are_the_same_with_and_without_the_cache(
    rules: Any, run: Callable[..., Any], tiny_model: HubModel
) -> None:
    plain = run(rules, prefix_cache="off")
    seen, cached = (run(rules, prefix_cache=form, compute_dtype="bfloat16") for form in ("off", "memory"))
    np.testing.assert_allclose(seen.losses, plain.losses, rtol=0.08)
    assert seen.losses != plain.losses
    # The same numbers are rounded in both; how a sum is ordered depends on the padding beside a row.
    np.testing.assert_allclose(cached.losses, seen.losses, rtol=2e-3)
    for variable in [*seen.classifier.variables, *seen.classifier.optimizer.variables]:
        assert variable.dtype in (tf.float32, tf.int64), variable.name
    frozen = [name for name in seen.plan.frozen_names]
    assert all(np.array_equal(seen.classifier.encoder.hub_variables[name], tiny_model.weights[name]) for name in frozen)


def test_predictions_after_training_are_float32s(run: Callable[..., Any], tiny_model: HubModel) -> None:
    seen = run(HALF, compute_dtype="bfloat16")
    batch = probe_batch(tiny_model.layout)
    encoder = seen.classifier.encoder
    assert {part.dtype for part in encoder.run_parts(batch, 0, encoder.parts)} == {tf.float32}
    logits = seen.classifier(batch)
    assert logits.dtype == tf.float32
    encoder.compute_in(tf.bfloat16)
    assert not np.array_equal(seen.classifier(batch), logits)


def test_activations_take_half_the_room(run: Callable[..., Any], tmp_path: Path, train_rows: Rows) -> None:
    sizes = {}
    for dtype in ("float32", "bfloat16"):
        kept = tmp_path / dtype
        run(HALF, prefix_cache_dir=str(kept), compute_dtype=dtype, epochs=1)
        headers = []
        for path in kept.rglob("*.segment"):
            with path.open("rb") as file:
                headers.append(read_header(file))
        assert max(header.tokens for header in headers) == train_rows.lengths.sum()
        sizes[dtype] = sum(header.file_bytes - header.values_offset for header in headers)
    assert sizes["float32"] == 2 * sizes["bfloat16"] > 0


def test_pooled_vectors_computed_in_one_dtype_are_not_read_in_the_other(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    """They are stored as float32 in both."""
    more = {"prefix_cache_dir": str(tmp_path / "kept"), "pooling": "mean"}
    plain = run(({"freeze": "all"},), **more)
    rounded = run(({"freeze": "all"},), compute_dtype="bfloat16", **more)
    again = run(({"freeze": "all"},), **more)
    assert [len(given) for seen in (plain, rounded, again) for given in seen.encoded] == [22, 9, 22, 9, 0, 0]
    np.testing.assert_allclose(again.losses, plain.losses, atol=1e-6)
