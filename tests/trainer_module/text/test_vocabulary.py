"""Which vocabulary is read, and which aren't one."""

import copy
import os
from pathlib import Path
from typing import Any

import pytest

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.text.tokenizer import WordPieceTokenizer
from trainer_module.text.vocabulary import Vocabulary, read_vocabulary

PIECES = ["[PAD]", "a", "[SEP]", "[UNK]", "##b", "[CLS]", "é"]


def settings(**more: Any) -> BertSettings:
    return BertSettings.from_custom_config({"bert": {"hub": "the/hub", "text": ["t"], "label": "l", **more}})


def refusal(model: HubModel, **more: Any) -> str:
    with pytest.raises(UserError) as error:
        read_vocabulary(settings(**more), model)
    return str(error.value)


@pytest.fixture
def vocab(tmp_path: Path) -> Path:
    path = tmp_path / "pieces.txt"
    path.write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    return path


@pytest.fixture
def silent(tiny_model: HubModel, monkeypatch: pytest.MonkeyPatch) -> HubModel:
    """A model that brings no vocabulary and doesn't say whether it is cased."""
    model = copy.copy(tiny_model)
    monkeypatch.setattr(type(model), "vocab_path", None)
    monkeypatch.setattr(type(model), "lower_case", None)
    return model


def test_the_encoders_own_vocabulary_is_the_default(tiny_model: HubModel) -> None:
    found = read_vocabulary(settings(), tiny_model)
    assert found == Vocabulary(tiny_model.vocab_path or "", lower_case=True, start=2, separator=3)


def test_settings_override_the_encoders_vocabulary_and_casing(vocab: Path, tiny_model: HubModel) -> None:
    found = read_vocabulary(settings(vocab=str(vocab), lower_case=False), tiny_model)
    assert found == Vocabulary(str(vocab), lower_case=False, start=5, separator=2)


def test_a_vocabulary_written_on_windows_is_the_same(vocab: Path, tiny_model: HubModel) -> None:
    tokens = ["ab a é", "É"]
    expected = WordPieceTokenizer(read_vocabulary(settings(vocab=str(vocab), lower_case=False), tiny_model))
    assert expected.tokenize(tokens).to_list() == [[1, 4, 1, 6], [3]]
    vocab.write_text("\r\n".join(PIECES), encoding="utf-8", newline="")
    windows = WordPieceTokenizer(read_vocabulary(settings(vocab=str(vocab), lower_case=False), tiny_model))
    assert windows.tokenize(tokens).to_list() == [[1, 4, 1, 6], [3]]
    assert (windows.start, windows.separator) == (5, 2)


def test_an_encoder_without_vocabulary_asks_for_one(silent: HubModel) -> None:
    assert refusal(silent) == (
        f"model.hub: {silent.handle} brings no vocabulary; name its file in `vocab`, or a Hub preprocessing "
        "SavedModel in `preprocess`"
    )


def test_unknown_casing_has_to_be_set(silent: HubModel, vocab: Path) -> None:
    assert refusal(silent, vocab=str(vocab)) == (
        f"model.lower_case: {silent.handle} doesn't say whether it is uncased; set it to true or false"
    )
    assert read_vocabulary(settings(vocab=str(vocab), lower_case=True), silent).lower_case is True


def test_a_missing_file_is_refused(tmp_path: Path, tiny_model: HubModel) -> None:
    path = str(tmp_path / "nowhere.txt")
    assert refusal(tiny_model, vocab=path) == f"model.vocab: no such vocabulary file: {path}"


def test_a_folder_is_no_vocabulary(tmp_path: Path, tiny_model: HubModel) -> None:
    assert refusal(tiny_model, vocab=str(tmp_path)) == f"model.vocab: no such vocabulary file: {tmp_path}"


@pytest.mark.parametrize(
    ("pieces", "lacking"),
    [
        ([], "[UNK], [CLS], [SEP]"),
        (["[UNK]", "[CLS]", "[sep]"], "[SEP]"),
        (["[UNK] ", "[CLS]", "[SEP]"], "[UNK]"),
    ],
)
def test_a_vocabulary_without_special_tokens_is_refused(
    vocab: Path, tiny_model: HubModel, pieces: list[str], lacking: str
) -> None:
    vocab.write_text("".join(f"{piece}\n" for piece in pieces))
    message = refusal(tiny_model, vocab=str(vocab))
    assert message == f"model.vocab: {vocab} is not a BERT vocabulary: it lacks {lacking}"


def test_a_vocabulary_that_is_not_utf_8_is_refused(vocab: Path, tiny_model: HubModel) -> None:
    vocab.write_bytes("\n".join(PIECES).encode("latin-1"))
    message = refusal(tiny_model, vocab=str(vocab))
    assert message == f"model.vocab: {vocab} is not a BERT vocabulary: line 7 is not UTF-8"


def test_a_vocabulary_of_another_model_is_refused(vocab: Path, tiny_model: HubModel) -> None:
    words = tiny_model.weights["word_embeddings/embeddings"].shape[0]
    more = [f"word{index}" for index in range(words)]
    vocab.write_text("".join(f"{piece}\n" for piece in [*PIECES, *more]))
    assert refusal(tiny_model, vocab=str(vocab)) == (
        f"model.vocab: {vocab} has {len(PIECES) + words} pieces, more than the {words} word embeddings of "
        f"{tiny_model.handle}; it belongs to another model"
    )


def test_only_a_regular_file_is_read(vocab: Path, tiny_model: HubModel) -> None:
    vocab.unlink()
    os.mkfifo(vocab)
    assert refusal(tiny_model, vocab=str(vocab)) == (
        f"model.vocab: {vocab} is not a regular file but a pipe, a device or a socket; put the file itself there"
    )


def test_a_file_of_absurd_length_is_not_read(vocab: Path, tiny_model: HubModel) -> None:
    with vocab.open("r+b") as file:
        file.truncate(1 << 40)  # sparse
    message = refusal(tiny_model, vocab=str(vocab))
    assert message == f"model.vocab: {vocab} is not a BERT vocabulary: it has 1,099,511,627,776 bytes"


def test_a_piece_that_is_there_twice_is_refused(vocab: Path, tiny_model: HubModel) -> None:
    vocab.write_text("\n".join([*PIECES, "film", PIECES[-1]]))
    message = refusal(tiny_model, vocab=str(vocab))
    assert message.startswith(f"model.vocab: {vocab} is not a BERT vocabulary: line ")
    assert " repeats line " in message
