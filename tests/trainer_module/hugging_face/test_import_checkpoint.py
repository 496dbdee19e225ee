import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from trainer_module.encoder.probe import probe_batch
from trainer_module.encoder.rebuild import TOLERANCE
from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.hugging_face import import_checkpoint as hf_import
from trainer_module.hugging_face.config import read_json_object
from trainer_module.hugging_face.import_checkpoint import import_hf

AGREEMENT = 1e-5
"""Largest absolute difference between float32 TensorFlow and the float64 forward pass of the same weights."""


def _assert_agree(saved_model, layout, expected_of) -> float:
    """Compares every output at every token, returning the largest difference."""
    batch = probe_batch(layout, seed=3)
    given = saved_model(batch)
    expected = expected_of({name: tensor.numpy() for name, tensor in batch.items()})
    tokens = batch["input_mask"].numpy() == 1
    differences = [np.abs(given["pooled_output"].numpy() - expected["pooled_output"]).max()]
    differences.append(np.abs(given["sequence_output"].numpy() - expected["sequence_output"])[tokens].max())
    for ours, theirs in zip(given["encoder_outputs"], expected["encoder_outputs"], strict=True):
        differences.append(np.abs(ours.numpy() - theirs)[tokens].max())
    assert max(differences) <= AGREEMENT
    return float(max(differences))


@pytest.mark.slow
def test_outputs_agree_with_an_independent_forward_pass(imported, hf_forward):
    source, result = imported
    _assert_agree(
        tf.saved_model.load(str(result.path)),
        result.layout,
        lambda inputs: hf_forward(source.tensors, source.config, inputs),
    )
    assert result.largest_difference <= TOLERANCE


def test_the_forward_pass_tells_the_two_gelus_apart(imported, hf_forward):
    source, result = imported
    inputs = probe_batch(result.layout)
    exact = hf_forward(source.tensors, source.config, inputs)["sequence_output"]
    tanh = hf_forward(source.tensors, {**source.config, "hidden_act": "gelu_new"}, inputs)["sequence_output"]
    assert np.abs(exact - tanh).max() > 10 * AGREEMENT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "dtype", "pooler"),
    [
        ({"hidden_act": "gelu_new", "layer_norm_eps": 1e-3}, np.float32, True),
        ({"hidden_act": "relu"}, np.float16, False),
    ],
)
def test_other_checkpoints_agree_too_with_the_casing_given(checkpoint, hf_forward, tmp_path, changes, dtype, pooler):
    checkpoint.config.update(changes, num_hidden_layers=1)
    left_out = ("encoder.layer.1.",) if pooler else ("encoder.layer.1.", "pooler.")
    checkpoint.tensors = {
        name: tensor.astype(dtype) for name, tensor in checkpoint.tensors.items() if not name.startswith(left_out)
    }
    result = import_hf(checkpoint.write(tmp_path / "hf"), tmp_path / "hub", lower_case=False)
    _assert_agree(
        tf.saved_model.load(str(result.path)),
        result.layout,
        lambda inputs: hf_forward(checkpoint.tensors, checkpoint.config, inputs),
    )
    assert HubModel(str(result.path)).lower_case is result.lower_case is False


@pytest.mark.slow
@pytest.mark.soak
def test_the_real_minilm_agrees(minilm, hf_forward, tmp_path):
    result = import_hf(minilm, tmp_path / "hub")
    config = read_json_object(minilm / "config.json")
    tensors = load_file(minilm / "model.safetensors")
    difference = _assert_agree(
        tf.saved_model.load(str(result.path)),
        result.layout,
        lambda inputs: hf_forward(tensors, config, inputs),
    )
    assert result.largest_difference <= AGREEMENT
    print(f"MiniLM: {difference:.2g} from the forward pass, {result.largest_difference:.2g} rebuilt")


def test_the_weights_survive_bit_by_bit(imported):
    source, result = imported
    weights = HubModel(str(result.path)).weights
    np.testing.assert_array_equal(
        weights["transformer/layer_1/output/kernel"], source.tensors["encoder.layer.1.output.dense.weight"].T
    )


def test_a_folder_in_use_is_refused_before_anything_is_read(tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").touch()
    with pytest.raises(UserError, match="taken already exists and is not empty"):
        import_hf(tmp_path / "nowhere", taken)


def test_a_bad_checkpoint_leaves_nothing_behind(checkpoint, tmp_path):
    del checkpoint.tensors["pooler.dense.bias"]
    source = checkpoint.write(tmp_path / "hf")
    with pytest.raises(UserError, match="pooler"):
        import_hf(source, tmp_path / "deep" / "hub")
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def test_an_encoder_that_fails_the_probe_is_not_written(checkpoint, tmp_path, monkeypatch):
    def fails(*arguments):
        raise UserError("model.hub: a probe batch differs by 0.5")

    monkeypatch.setattr(hf_import, "save_hub_encoder", lambda folder, *rest, **options: (folder / "x").touch())
    monkeypatch.setattr(hf_import, "HubModel", str)
    monkeypatch.setattr(hf_import, "rebuild", fails)
    with pytest.raises(UserError, match=r"was not written .*probe batch differs by 0\.5"):
        import_hf(checkpoint.write(tmp_path / "hf"), tmp_path / "hub")
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]
