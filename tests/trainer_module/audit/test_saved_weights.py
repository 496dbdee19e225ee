"""Variables by name, out of any SavedModel."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.audit.saved_weights import SavedWeights, Unreadable


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tf.Module()
    root.kernel = tf.Variable([[1.0, 2.0]], name="layer/kernel")
    root.half = tf.Variable(tf.constant([1.5], tf.float16), name="layer/half")
    root.flag = tf.Variable(True, name="do_lower_case")
    root.twice = [tf.Variable(3.0, name="twin"), tf.Variable(4.0, name="twin")]
    tf.saved_model.save(root, str(tmp_path))
    return tmp_path


def test_floating_variables_by_name(model: Path) -> None:
    weights = SavedWeights(str(model))
    assert weights.shapes == {"layer/kernel": (1, 2), "layer/half": (1,), "twin": ()}
    assert weights.dtypes == {"layer/kernel": tf.float32, "layer/half": tf.float16, "twin": tf.float32}
    assert weights.repeated == {"twin"}
    np.testing.assert_array_equal(weights.read("layer/kernel"), [[1, 2]])
    with pytest.raises(KeyError):
        weights.read("do_lower_case")


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/variables.index"])
def test_a_file_that_is_missing_or_broken_makes_it_unreadable(model: Path, file: str) -> None:
    content = (model / file).read_bytes()
    (model / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(Unreadable):
        SavedWeights(str(model))
    (model / file).unlink()
    with pytest.raises(Unreadable):
        SavedWeights(str(model))


def test_a_value_that_does_not_fit_its_checksum_is_unreadable(model: Path) -> None:
    (file,) = (model / "variables").glob("variables.data-*")
    content = bytearray(file.read_bytes())
    content[content.index(np.array([1, 2], np.float32).tobytes())] ^= 1
    file.write_bytes(content)
    weights = SavedWeights(str(model))
    with pytest.raises(Unreadable, match="hecksum"):
        weights.read("layer/kernel")
    assert weights.read("layer/half") == 1.5


def test_variables_that_are_not_finite_are_named_also_where_two_have_one_name(tmp_path: Path) -> None:
    root = tf.Module()
    root.sound = tf.Variable([1.0], name="sound")
    root.half = tf.Variable(tf.constant([np.inf], tf.float16), name="half")
    root.wide = tf.Variable(tf.constant([1e300], tf.float64), name="wide")  # infinite as float32
    root.twice = [tf.Variable(np.nan, name="twin"), tf.Variable(4.0, name="twin")]
    tf.saved_model.save(root, str(tmp_path))
    assert sorted(SavedWeights(str(tmp_path)).not_finite()) == ["half", "twin", "wide"]
