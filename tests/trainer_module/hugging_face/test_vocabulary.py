import json

import pytest

from trainer_module.errors import UserError
from trainer_module.hugging_face.vocabulary import HfVocabulary, read_hf_vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
UNCASED = [*SPECIAL, *(f"word{number}" for number in range(200))]
CASED = [*UNCASED, "Berlin", "Anna", "NATO"]


def _read(tmp_path, pieces, tokenizer=None, lower_case=None, newline="\n") -> HfVocabulary:
    (tmp_path / "vocab.txt").write_bytes("".join(piece + newline for piece in pieces).encode())
    if tokenizer is not None:
        text = tokenizer if isinstance(tokenizer, str) else json.dumps(tokenizer)
        (tmp_path / "tokenizer_config.json").write_text(text)
    return read_hf_vocabulary(tmp_path, lower_case)


@pytest.mark.parametrize("stated", [True, False])
def test_casing_is_what_the_tokenizer_config_says(tmp_path, stated):
    vocabulary = _read(tmp_path, CASED, {"do_lower_case": stated})
    assert vocabulary.lower_case is stated
    assert vocabulary.notes == ()


@pytest.mark.parametrize("tokenizer", [None, {}])
@pytest.mark.parametrize(("pieces", "lower_case"), [(UNCASED, True), ([*UNCASED, "URL"], True), (CASED, False)])
def test_casing_is_seen_in_the_pieces_when_nothing_is_said(tmp_path, tokenizer, pieces, lower_case):
    vocabulary = _read(tmp_path, pieces, tokenizer)
    assert vocabulary.lower_case is lower_case
    assert "looks uncased" in vocabulary.notes[0] if lower_case else "looks cased" in vocabulary.notes[0]


@pytest.mark.parametrize("given", [True, False])
def test_the_argument_overrides_everything(tmp_path, given):
    assert _read(tmp_path, CASED, {"do_lower_case": not given}, given).lower_case is given


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_pieces_are_counted_whatever_the_line_ends(tmp_path, newline):
    assert _read(tmp_path, UNCASED, newline=newline).size == len(UNCASED)


def test_a_piece_may_hold_unusual_line_separators(tmp_path):
    assert _read(tmp_path, [*UNCASED, "\u2028", "\x85"]).size == len(UNCASED) + 2


def test_settings_without_a_place_in_a_hub_encoder_are_noted(tmp_path):
    tokenizer = {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False}
    accents, chinese = _read(tmp_path, UNCASED, tokenizer).notes
    assert "strip_accents = false" in accents
    assert "tokenize_chinese_chars" in chinese


@pytest.mark.parametrize(
    ("pieces", "tokenizer", "message"),
    [
        (UNCASED[3:], None, r"special token \[UNK\] is missing"),
        ([*UNCASED, "word7"], None, "line 205 repeats 'word7' of line 12"),
        (UNCASED, {"do_lower_case": "yes"}, "do_lower_case should be true or false; given 'yes'"),
        (UNCASED, "{", r"tokenizer_config\.json is not readable JSON"),
    ],
)
def test_refuses(tmp_path, pieces, tokenizer, message):
    with pytest.raises(UserError, match=message):
        _read(tmp_path, pieces, tokenizer)


def test_refuses_what_is_not_utf8(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"[UNK]\n[CLS]\n[SEP]\ncaf\xe9\n")
    with pytest.raises(UserError, match=r"vocab\.txt is not a readable UTF-8 file"):
        read_hf_vocabulary(tmp_path)


def test_many_repeated_pieces_are_summed_up(tmp_path):
    with pytest.raises(UserError) as refusal:
        _read(tmp_path, UNCASED * 2)
    assert len(refusal.value.problems) == 4
    assert f"{len(UNCASED) - 3} more" in refusal.value.problems[-1]
