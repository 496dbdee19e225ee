"""Training in float16: near float32, the same with and without the cache, and weights stay float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})


@pytest.mark.parametrize("rules", [(), HALF, ({"freeze": "all"},)], ids=["nothing", "half", "all"])
def test_the_losses_stay_near_and_are_the_same_with_and_without_the_cache(
    rules: Any, run: Callable[..., Any], tiny_model: HubModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without dropout, as which numbers drop out depends on their dtype; and with a scale that never overflows."""
    monkeypatch.setattr("trainer_module.training.loss_scale.LossScale.__init__.__defaults__", (2.0**8, 2000))
    plain = run(rules, prefix_cache="off", dropout=0.0)
    seen, cached = (run(rules, prefix_cache=form, compute_dtype="float16", dropout=0.0) for form in ("off", "memory"))
    np.testing.assert_allclose(seen.losses, plain.losses, rtol=0.005)
    assert seen.losses != plain.losses
    np.testing.assert_allclose(cached.losses, seen.losses, rtol=2e-3)
    optimizer = seen.classifier.optimizer
    assert optimizer.loss_scale.value.numpy() == 2**8
    for variable in [*seen.classifier.variables, *optimizer.variables]:
        assert variable.dtype in (tf.float32, tf.int64), variable.name
    frozen = [name for name in seen.plan.frozen_names]
    assert all(np.array_equal(seen.classifier.encoder.hub_variables[name], tiny_model.weights[name]) for name in frozen)


def test_a_scale_that_is_too_large_falls_until_training_goes_on(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradients overflow in the encoder at first."""
    monkeypatch.setattr("trainer_module.training.loss_scale.LossScale.__init__.__defaults__", (2.0**30, 4))
    seen = run((), compute_dtype="float16", dropout=0.0, epochs=8)
    plain = run((), dropout=0.0, epochs=8)
    scale = float(seen.classifier.optimizer.loss_scale.value)
    assert scale < 2**29
    assert np.isfinite(seen.losses).all()
    assert int(seen.classifier.optimizer.iterations) == len(seen.losses) == 8 * 5
    assert seen.losses[-1] < seen.losses[0]
    np.testing.assert_allclose(seen.losses[-5:], plain.losses[-5:], rtol=0.3)


def test_bit_patterns_of_one_dtype_are_not_read_as_the_other(run: Callable[..., Any], tmp_path: Any) -> None:
    """Both are stored as 16 bits."""
    kept = str(tmp_path / "kept")
    runs = [run(HALF, prefix_cache_dir=kept, compute_dtype=dtype) for dtype in ("float16", "bfloat16", "float16")]
    assert [len(given) for seen in runs for given in seen.encoded] == [22, 9, 22, 9, 0, 0]
    np.testing.assert_allclose(runs[2].losses, runs[0].losses, rtol=2e-3)
    assert runs[1].losses != runs[0].losses
