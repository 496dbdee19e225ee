"""What is read of a Hub encoder, and which SavedModels aren't one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel


def refusal(handle: str | Path, digest: str | None = None) -> str:
    with pytest.raises(UserError) as error:
        HubModel(str(handle), digest)
    return str(error.value)


def test_reads_the_architecture(tiny_model: HubModel) -> None:
    layout = tiny_model.layout
    assert (layout.family, layout.blocks, layout.hidden, layout.heads, layout.positions) == ("bert", 3, 32, 2, 64)
    assert not layout.shared_blocks
    assert len(layout.variables) == 5 + 3 * 16 + 2


@pytest.mark.parametrize(
    ("name", "family", "blocks", "hidden", "heads"),
    [
        ("bert_L-4_H-32", "bert", 4, 32, 2),
        ("bert_L-12_H-16", "bert", 12, 16, 2),
        ("bert_relu_L-2_H-32", "bert", 2, 32, 2),
        ("bert_v2_L-3_H-32", "bert", 3, 32, 2),
        ("bert_list_io_L-3_H-32", "bert", 3, 32, 2),
        ("electra_L-3_H-32_E-16", "electra", 3, 32, 2),
    ],
)
def test_reads_the_architecture_of_the_model_gardens_exports(
    loaded_once: Callable[[str], HubModel], name: str, family: str, blocks: int, hidden: int, heads: int
) -> None:
    layout = loaded_once(name).layout
    assert (layout.family, layout.blocks, layout.hidden, layout.heads) == (family, blocks, hidden, heads)
    assert {variable.block for variable in layout.variables} == {
        "embeddings",
        *(f"encoder[{index}]" for index in range(blocks)),
        "pooler",
    }


def test_the_casing_flag_is_not_a_weight(loaded_once: Callable[[str], HubModel]) -> None:
    model = loaded_once("bert_L-4_H-32")
    names = [variable.name for variable in model.layout.variables]
    assert "Variable" not in names and "Variable" not in model.weights
    assert model.lower_case is True


def test_there_is_a_value_for_each_variable(tiny_model: HubModel) -> None:
    assert {name: value.shape for name, value in tiny_model.weights.items()} == {
        variable.name: variable.shape for variable in tiny_model.layout.variables
    }
    assert {value.dtype for value in tiny_model.weights.values()} == {np.dtype(np.float32)}


def test_brings_its_vocabulary_and_casing(tiny_hub: Path, tiny_model: HubModel) -> None:
    assert Path(tiny_model.vocab_path or "").read_bytes() == (tiny_hub / "assets" / "vocab.txt").read_bytes()
    assert tiny_model.original(tiny_model.vocab_path or "") == str(tiny_hub / "assets" / "vocab.txt")
    assert tiny_model.lower_case is True
    assert (tiny_model.handle, tiny_model.path) == (str(tiny_hub), str(tiny_hub))


def test_the_expected_digest_is_accepted(tiny_hub: Path, tiny_model: HubModel) -> None:
    assert HubModel(str(tiny_hub), tiny_model.digest).digest == tiny_model.digest


def test_another_content_than_expected_is_refused(tiny_hub: Path, tiny_model: HubModel) -> None:
    expected = f"sha256:{'0' * 64}"
    assert refusal(tiny_hub, expected) == (
        f"model.hub_digest: {tiny_hub} has changed: it is {tiny_model.digest}, not {expected}; "
        "fetch the model you meant, or put the new digest in the config"
    )


def test_changed_content_is_refused_before_it_is_understood(tiny_hub: Path, tiny_model: HubModel, tmp_path: Path):
    copy = Path(shutil.copytree(tiny_hub, tmp_path / "copy"))
    (copy / "assets" / "vocab.txt").write_text("[UNK]\n")
    assert refusal(copy, tiny_model.digest).startswith(f"model.hub_digest: {copy} has changed: it is sha256:")


@pytest.mark.parametrize("name", ["nowhere", "file.txt"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("text")
    message = refusal(tmp_path / name)
    assert message.startswith(f"model.hub: no such folder: {tmp_path / name}; give a TF-Hub handle or the folder")


def test_a_preprocessing_model_is_refused(hub_model: Callable[[str], Path]) -> None:
    path = hub_model("bert_preprocess")
    message = refusal(path)
    assert message.startswith(f"model.hub: {path} is a SavedModel but not a BERT encoder: nothing in it takes input_wo")
    assert message.endswith("give a TF2 encoder, or a model that holds one as a layer")


def test_an_albert_is_one_block_for_all_layers(hub_model: Callable[[str], Path]) -> None:
    layout = HubModel(str(hub_model("albert_L-4_H-32"))).layout
    assert (layout.family, layout.blocks, layout.layers, layout.shared_blocks) == ("albert", 0, 4, True)
    assert (layout.hidden, layout.heads, layout.words, layout.deviation) == (32, 2, 1709, "")
    assert {block: len(layout.in_block(block)) for block in ("embeddings", "encoder", "pooler")} == {
        "embeddings": 7,
        "encoder": 16,
        "pooler": 2,
    }


def test_the_blocks_of_a_mobilebert_are_told_apart(hub_model: Callable[[str], Path]) -> None:
    model = HubModel(str(hub_model("mobilebert_L-3")))
    layout = model.layout
    assert (layout.family, layout.blocks, layout.layers, layout.hidden, layout.heads) == ("mobilebert", 3, 3, 32, 2)
    assert layout.deviation.startswith("it has variables that no BERT has, such as mobile_bert_embedding_1/")
    parts = {block: len(layout.in_block(block)) for block in dict.fromkeys(v.block for v in layout.variables)}
    assert parts == {"embeddings": 7, "encoder[0]": 34, "encoder[1]": 34, "encoder[2]": 34, "pooler": 2}
    assert model.lower_case is True


class Resaved:
    """Fine-tuned models around an encoder, saved by Keras."""

    def __init__(self, encoder_path: str, folder: Path) -> None:
        import tensorflow as tf
        import tensorflow_hub as hub
        import tf_keras as keras

        self.folder = folder
        names = ("input_word_ids", "input_mask", "input_type_ids")
        for name, length in {"any_length": None, "length_12": 12}.items():
            inputs = {key: keras.Input((length,), dtype=tf.int32, name=key) for key in names}
            encoder = hub.KerasLayer(encoder_path, trainable=True, name="my_encoder")
            answer = keras.layers.Dense(2, name="answer")(encoder(inputs)["pooled_output"])
            model = keras.Model(inputs, answer)
            model.compile("adam", "mse", run_eagerly=True)
            batch = {key: np.ones((2, length or 8), np.int32) for key in names}
            model.fit(batch, np.zeros((2, 2), np.float32), verbose=0)
            model.save(str(folder / name), save_format="tf")

    def model(self, name: str) -> HubModel:
        return HubModel(str(self.folder / name))


@pytest.fixture(scope="module")
def resaved(one_block_model: HubModel, tmp_path_factory: pytest.TempPathFactory) -> Resaved:
    return Resaved(one_block_model.path, tmp_path_factory.mktemp("resaved"))


@pytest.mark.slow
def test_the_encoder_inside_a_fine_tuned_keras_model_is_found(resaved: Resaved, one_block_model: HubModel) -> None:
    model = resaved.model("any_length")
    assert model.interface.path == ("layer_with_weights-0",)
    assert model.interface.sequence_length == 0
    assert model.layout == one_block_model.layout  # without the head's and the optimizer's variables
    moved = [name for name, value in model.weights.items() if (value != one_block_model.weights[name]).any()]
    assert moved  # it is the fine-tuned one
    assert model.lower_case is True
    assert Path(model.vocab_path or "").read_bytes() == Path(one_block_model.vocab_path or "").read_bytes()


@pytest.mark.slow
def test_the_encoder_is_taken_where_it_reads_texts_of_any_length(resaved: Resaved) -> None:
    model = resaved.model("length_12")
    assert model.interface.path == ("layer_with_weights-0", "_func")
    assert model.interface.sequence_length == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["any_length", "length_12"])
def test_a_fine_tuned_keras_models_encoder_is_rebuilt(resaved: Resaved, name: str) -> None:
    from trainer_module.encoder import rebuild

    assert rebuild(resaved.model(name), lambda name: True, dropout=0.1).largest_difference <= 1e-5


@pytest.mark.slow
def test_several_encoders_in_one_model_are_refused(one_block_model: HubModel, tmp_path: Path) -> None:
    import tensorflow as tf

    root = tf.train.Checkpoint()
    root.left, root.right = (tf.saved_model.load(one_block_model.path) for _ in range(2))
    tf.saved_model.save(root, str(tmp_path / "towers"))
    assert refusal(tmp_path / "towers") == (
        f"model.hub: {tmp_path}/towers holds several encoders (left, right); save the one you mean as a SavedModel "
        "of its own"
    )


def test_a_model_that_changes_or_vanishes_once_it_is_opened_stays_what_it_was(
    tiny_hub: Path, tiny_model: HubModel, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_hub, tmp_path / "model"))
    model = HubModel(str(folder))
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    (folder / "assets" / "vocab.txt").write_text("[UNK]\n")
    loaded = {variable.name.removesuffix(":0"): variable.numpy() for variable in model.load().variables}
    shutil.rmtree(folder)
    assert all((value == loaded[name]).all() for name, value in tiny_model.weights.items())
    assert all((value == tiny_model.weights[name]).all() for name, value in model.weights.items())
    assert Path(model.vocab_path or "").read_bytes() == (tiny_hub / "assets" / "vocab.txt").read_bytes()


def test_a_model_whose_values_are_cut_off_is_refused(tiny_hub: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_hub, tmp_path / "model"))
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    message = refusal(folder)
    assert message.startswith(f"model.hub: {folder}/variables is damaged (")
    assert message.endswith("; fetch the model again")
