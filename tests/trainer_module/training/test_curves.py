"""TensorBoard's curves: training goes on without them where they can't be written."""

import logging
from pathlib import Path

import pytest
import tf_keras as keras

from trainer_module.training.curves import Curves

pytestmark = pytest.mark.slow


@pytest.fixture
def model() -> keras.Model:
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse")
    return model


def fit(model: keras.Model, log_dir: Path) -> list[float]:
    data = {"x": [[1.0], [2.0]], "y": [[1.0], [2.0]], "validation_data": ([[1.0]], [[1.0]])}
    return model.fit(**data, epochs=2, verbose=0, callbacks=[Curves(str(log_dir))]).history["loss"]


def test_they_are_written(model: keras.Model, tmp_path: Path) -> None:
    fit(model, tmp_path / "logs")
    assert [len(list((tmp_path / "logs" / split).iterdir())) for split in ("train", "validation")] == [1, 1]


def test_a_folder_that_cannot_be_written_is_one_warning(
    model: keras.Model, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("a file")
    with caplog.at_level(logging.WARNING, "permafrost.curves"):
        assert len(fit(model, tmp_path / "logs")) == 2
    (record,) = (record for record in caplog.records if record.name == "permafrost.curves")
    assert record.getMessage().startswith(f"TensorBoard's curves can't be written to {tmp_path / 'logs'}: ")
    assert record.getMessage().endswith("; training goes on without")
