import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

from trainer_module.errors import UserError
from trainer_module.hub.layout import POOLER
from trainer_module.hugging_face.checkpoint import read_hf_checkpoint

QUERY = "encoder.layer.0.attention.self.query"


def test_reads_the_architecture(checkpoint, tmp_path):
    read = read_hf_checkpoint(checkpoint.write(tmp_path))
    assert (read.layout.family, read.layout.blocks, read.layout.hidden) == ("bert", 2, 12)
    assert (read.layout.heads, read.layout.positions) == (3, 24)
    assert (read.activation, read.epsilon, read.lower_case) == ("gelu", 1e-12, True)
    assert read.vocab_path == tmp_path / "vocab.txt"
    assert read.notes == ()
    assert read.layout.parameters == sum(tensor.size for tensor in checkpoint.tensors.values())


def test_kernels_are_transposed_and_heads_apart(checkpoint, tmp_path):
    weights = read_hf_checkpoint(checkpoint.write(tmp_path)).weights
    block = "transformer/layer_0"
    query = weights[f"{block}/self_attention/query/kernel"]
    assert query.shape == (12, 3, 4)
    # Head 1 reads input 5 into its third number.
    assert query[5, 1, 2] == checkpoint.tensors[f"{QUERY}.weight"][1 * 4 + 2, 5]
    assert weights[f"{block}/self_attention/query/bias"][1, 2] == checkpoint.tensors[f"{QUERY}.bias"][6]
    output = weights[f"{block}/self_attention/attention_output/kernel"]
    assert output.shape == (3, 4, 12)
    assert output[1, 2, 5] == checkpoint.tensors["encoder.layer.0.attention.output.dense.weight"][5, 6]
    assert weights[f"{block}/intermediate/kernel"].shape == (12, 20)
    np.testing.assert_array_equal(
        weights["word_embeddings/embeddings"], checkpoint.tensors["embeddings.word_embeddings.weight"]
    )


def test_older_names_and_the_prefix_mean_the_same(checkpoint, tmp_path):
    plain = read_hf_checkpoint(checkpoint.write(tmp_path / "plain")).weights
    checkpoint.tensors = {
        "bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
        for name, t in checkpoint.tensors.items()
    }
    prefixed = read_hf_checkpoint(checkpoint.write(tmp_path / "prefixed")).weights
    assert list(plain) == list(prefixed)
    for name, value in plain.items():
        np.testing.assert_array_equal(value, prefixed[name])


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_widened_without_change(checkpoint, tmp_path, dtype):
    checkpoint.tensors = {name: tensor.astype(dtype) for name, tensor in checkpoint.tensors.items()}
    weights = read_hf_checkpoint(checkpoint.write(tmp_path)).weights
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(
        weights["pooler_transform/kernel"], checkpoint.tensors["pooler.dense.weight"].T.astype(np.float32)
    )


def test_task_heads_and_saved_ranges_are_left_behind(checkpoint, tmp_path):
    before = list(read_hf_checkpoint(checkpoint.write(tmp_path / "before")).weights)
    checkpoint.tensors = {f"bert.{name}": tensor for name, tensor in checkpoint.tensors.items()}
    checkpoint.tensors["bert.embeddings.position_ids"] = np.arange(24)[np.newaxis]
    checkpoint.tensors["cls.predictions.bias"] = np.zeros(32, np.float32)
    checkpoint.tensors["classifier.weight"] = np.zeros((2, 12), np.float32)
    assert list(read_hf_checkpoint(checkpoint.write(tmp_path / "after")).weights) == before


def test_without_pooler_none_is_made_up(checkpoint, tmp_path):
    del checkpoint.tensors["pooler.dense.weight"], checkpoint.tensors["pooler.dense.bias"]
    read = read_hf_checkpoint(checkpoint.write(tmp_path))
    assert read.layout.in_block(POOLER) == ()
    assert "no pooler" in read.notes[0]


def test_embeddings_may_be_padded_beyond_the_vocabulary(checkpoint, tmp_path):
    assert len(checkpoint.pieces) < checkpoint.config["vocab_size"]
    read = read_hf_checkpoint(checkpoint.write(tmp_path))
    assert read.weights["word_embeddings/embeddings"].shape == (32, 12)


def _drop(name):
    return lambda checkpoint: checkpoint.tensors.pop(name)


def _change(name, change):
    def apply(checkpoint):
        checkpoint.tensors[name] = change(checkpoint.tensors[name])

    return apply


def _add(name):
    def apply(checkpoint):
        checkpoint.tensors[name] = np.zeros((2, 2), np.float32)

    return apply


def _with_nan(tensor):
    tensor = tensor.copy()
    tensor.flat[0] = np.nan
    return tensor


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop(f"{QUERY}.bias"), rf"the tensor {QUERY}\.bias \[12\] is missing"),
        (_drop("pooler.dense.bias"), r"pooler\.dense\.bias \[12\] is missing"),
        (
            _change(f"{QUERY}.weight", lambda t: t[:8]),
            r"query\.weight is \[8, 12\], but .* makes it \[12, 12\]",
        ),
        (_change(f"{QUERY}.weight", lambda t: t.astype(np.int8)), r"query\.weight is of type I8, not F32"),
        (_change(f"{QUERY}.weight", _with_nan), "query/kernel holds values that aren't finite"),
        (_add("encoder.layer.2.output.dense.weight"), r"encoder\.layer\.2\.output.* is not part of the BERT"),
        (_add(f"{QUERY}.lora_A"), "lora_A is not part of the BERT"),
        (lambda checkpoint: checkpoint.pieces.extend("1234"), "34 pieces, .* word embeddings for 32 only"),
        (lambda checkpoint: checkpoint.config.update(model_type="electra"), "model_type is 'electra'"),
    ],
)
def test_refuses(checkpoint, tmp_path, spoil, message):
    spoil(checkpoint)
    with pytest.raises(UserError, match=message):
        read_hf_checkpoint(checkpoint.write(tmp_path))


def test_vocabulary_and_tensor_problems_come_at_once(checkpoint, tmp_path):
    _drop(f"{QUERY}.bias")(checkpoint)
    _change("pooler.dense.weight", lambda tensor: tensor[1:])(checkpoint)
    checkpoint.pieces.remove("[CLS]")
    with pytest.raises(UserError) as refusal:
        read_hf_checkpoint(checkpoint.write(tmp_path))
    assert len(refusal.value.problems) == 3


def test_a_long_list_of_tensors_is_cut(checkpoint, tmp_path):
    checkpoint.tensors = {"something.else": np.zeros(1, np.float32)}
    with pytest.raises(UserError) as refusal:
        read_hf_checkpoint(checkpoint.write(tmp_path))
    assert len(refusal.value.problems) == 11
    assert "more tensors" in refusal.value.problems[-1]


def test_missing_files_are_all_named(checkpoint, tmp_path):
    checkpoint.write(tmp_path)
    (tmp_path / "config.json").unlink()
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(UserError, match=r"lacks config\.json, vocab\.txt$"):
        read_hf_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("instead", "hint"),
    [("pytorch_model.bin", "safe_serialization=True"), ("model.safetensors.index.json", "max_shard_size")],
)
def test_weights_in_another_form_get_a_hint(checkpoint, tmp_path, instead, hint):
    checkpoint.write(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / instead)
    with pytest.raises(UserError, match=hint):
        read_hf_checkpoint(tmp_path)


def test_refuses_a_missing_folder_and_a_damaged_file(checkpoint, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_hf_checkpoint(tmp_path / "nowhere")
    weights = checkpoint.write(tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        read_hf_checkpoint(tmp_path)


def test_reads_the_real_minilm(minilm):
    read = read_hf_checkpoint(minilm)
    assert (read.layout.blocks, read.layout.hidden, read.layout.heads) == (6, 384, 12)
    assert (read.activation, read.lower_case, read.notes) == ("gelu", True, ())
    floats = {n: t for n, t in load_file(minilm / "model.safetensors").items() if t.dtype == np.float32}
    assert read.layout.parameters == sum(tensor.size for tensor in floats.values())


def test_minilms_casing_is_seen_without_its_tokenizer_config(minilm, tmp_path):
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        (tmp_path / name).symlink_to(minilm / name)
    assert read_hf_checkpoint(tmp_path).lower_case is True
