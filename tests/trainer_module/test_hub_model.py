"""What is read of a Hub encoder, and which SavedModels aren't one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer_module.errors import UserError
from trainer_module.hub_model import HubModel


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
    assert tiny_model.vocab_path == str(tiny_hub / "assets" / "vocab.txt")
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


def test_a_handle_that_cannot_be_fetched_is_refused() -> None:
    message = refusal("https://127.0.0.1:9/no/model/1")
    assert message.startswith("model.hub: https://127.0.0.1:9/no/model/1 can't be fetched: ")


def test_a_preprocessing_model_is_refused(hub_model: Callable[[str], Path]) -> None:
    path = hub_model("bert_preprocess")
    assert refusal(path).startswith(f"model.hub: {path} is a SavedModel but not a BERT encoder: expected word embed")


@pytest.mark.parametrize("name", ["albert_L-4_H-32", "mobilebert_L-3"])
def test_families_that_cannot_be_rebuilt_yet_are_refused(hub_model: Callable[[str], Path], name: str) -> None:
    path = hub_model(name)
    message = refusal(path)
    assert message.startswith(f"model.hub: {path} is a SavedModel but not a BERT encoder")
    assert "numbered transformer blocks" in message
