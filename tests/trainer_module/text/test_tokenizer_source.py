"""What tokenizes is found, and refused, before anything of it runs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.private_copy import private_copy
from trainer_module.settings import BertSettings
from trainer_module.text.tokenizer_source import PreprocessingModel, find_tokenizer
from trainer_module.text.vocabulary import Vocabulary


def settings(hub: Path, **more: Any) -> BertSettings:
    return BertSettings.model_validate({"hub": str(hub), "text": ["t"], "label": "l", **more})


def refusal(given: BertSettings) -> str:
    with pytest.raises(UserError) as error:
        find_tokenizer(given)
    return str(error.value)


def test_the_encoders_own_vocabulary(tiny_hub: Path, tiny_model: HubModel) -> None:
    found = find_tokenizer(settings(tiny_hub))
    assert isinstance(found, Vocabulary)
    assert (found.path, found.lower_case) == (tiny_model.vocab_path, True)


def test_a_vocabulary_that_belongs_elsewhere_is_named_by_its_place_in_the_model(tiny_hub: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(tiny_hub, tmp_path / "model"))
    (model / "assets" / "vocab.txt").write_text("[CLS]\n[SEP]\n")
    expected = f"model.hub: {model}/assets/vocab.txt is not a BERT vocabulary: it lacks [UNK]"
    assert refusal(settings(model)) == expected


def test_a_preprocessing_model_takes_its_place(tiny_hub: Path, hub_model: Callable[[str], Path]) -> None:
    path = hub_model("bert_preprocess")
    assert find_tokenizer(settings(tiny_hub, preprocess=str(path))) == PreprocessingModel(
        private_copy(str(path)).folder, str(path)
    )


def test_a_preprocessing_model_is_needed_where_the_encoder_need_not_exist(
    tmp_path: Path, hub_model: Callable[[str], Path]
) -> None:
    path = hub_model("bert_preprocess")
    found = find_tokenizer(settings(tmp_path / "nowhere", preprocess=str(path)))
    assert found == PreprocessingModel(private_copy(str(path)).folder, str(path))


def test_an_encoder_is_no_preprocessing_model(tiny_hub: Path) -> None:
    assert refusal(settings(tiny_hub, preprocess=str(tiny_hub))) == (
        f"model.preprocess: {tiny_hub} is a SavedModel but no preprocessing model: it has no `tokenize`; "
        "name the preprocessing model that belongs to the encoder"
    )


def test_a_folder_that_is_no_model_is_refused(tiny_hub: Path, tmp_path: Path) -> None:
    message = refusal(settings(tiny_hub, preprocess=str(tmp_path)))
    assert message.startswith(f"model.preprocess: {tmp_path} is not a SavedModel (it has no saved_model.pb)")
