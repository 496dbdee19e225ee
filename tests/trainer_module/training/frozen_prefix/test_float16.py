"""Training in float16: near float32, the same with and without the cache, and weights stay float32."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow

NOTHING: tuple[dict[str, Any], ...] = ()
HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[0]"})
ALL = ({"freeze": "all"},)
# Without dropout, as which numbers drop out depends on their dtype.
FLOAT32: dict[str, Any] = {"dropout": 0.0, "epochs": 8}
FLOAT16: dict[str, Any] = {"compute_dtype": "float16", **FLOAT32}
SCALE = "trainer_module.training.loss_scale.LossScale.__init__.__defaults__"


@pytest.mark.parametrize(
    ("rules", "cached"),
    [(NOTHING, False), (HALF, True), pytest.param(ALL, True, marks=pytest.mark.soak)],
    ids=["nothing", "half", "all"],
)
def test_the_losses_stay_near_and_are_the_same_with_and_without_the_cache(
    rules: Any,
    cached: bool,
    run: Callable[..., Any],
    plain: Callable[..., Any],
    two_block_model: HubModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a scale that never overflows. Bit patterns of one dtype are not read as the other: both have 16 bits."""
    monkeypatch.setattr(SCALE, (2.0**8, 2000))
    seen = run(rules, prefix_cache="off", **FLOAT16)
    np.testing.assert_allclose(seen.losses, plain(rules, **FLOAT32).losses, rtol=0.005)
    assert seen.losses != plain(rules, **FLOAT32).losses
    optimizer = seen.classifier.optimizer
    assert optimizer.loss_scale.value.numpy() == 2**8
    for variable in [*seen.classifier.variables, *optimizer.variables]:
        assert variable.dtype in (tf.float32, tf.int64), variable.name
    variables = seen.classifier.encoder.hub_variables
    assert all(np.array_equal(variables[name], two_block_model.weights[name]) for name in seen.plan.frozen_names)
    if cached:
        kept = {"prefix_cache": "memory", "prefix_cache_dir": str(tmp_path / "kept")}
        first = run(rules, instead=lambda: None, **FLOAT16 | kept)
        other = run(rules, instead=lambda: None, **FLOAT16 | kept | {"compute_dtype": "bfloat16"})
        found = run(rules, **FLOAT16 | kept)
        assert [len(given) for each in (first, other, found) for given in each.encoded] == [22, 9, 22, 9, 0, 0]
        np.testing.assert_allclose(found.losses, seen.losses, rtol=2e-3)


def test_a_scale_that_is_too_large_falls_until_training_goes_on(
    run: Callable[..., Any], plain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradients overflow in the encoder at first."""
    monkeypatch.setattr(SCALE, (2.0**30, 2000))
    seen = run(NOTHING, **FLOAT16)
    scale = float(seen.classifier.optimizer.loss_scale.value)
    assert scale < 2**25
    assert np.isfinite(seen.losses).all()
    assert int(seen.classifier.optimizer.iterations) == len(seen.losses) == 8 * 5
    assert seen.losses[-1] < seen.losses[0]
    np.testing.assert_allclose(seen.losses[-5:], plain(NOTHING, **FLOAT32).losses[-5:], rtol=0.3)
