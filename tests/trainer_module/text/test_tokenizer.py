"""Token ids are those of `tensorflow_text.BertTokenizer` packed as BERT's own code packs them."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text as tf_text
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_module.hub.hub_model import HubModel
from trainer_module.text.tokenizer import HubTokenizer, Tokenizer, WordPieceTokenizer, pack
from trainer_module.text.vocabulary import Vocabulary

START, SEPARATOR = 101, 102
Packed = tuple[list[list[int]], list[list[int]]]

ODD_TEXTS = [
    "",
    " \t\r\n ",
    "👍🏽 great 👨‍👩‍👧 film",
    "فيلم جيد جدا",
    "\u202eright to left\u202c שלום",
    "nul\x00inside",
    "\x00",
    "Ünïcödé ÀÉÎ ß ı İ",
    "e\u0301 combined",
    "中文電影 good 日本語",
    "zero\u200bwidth \ufeffbom soft\u00adhyphen",
    "line\u2028separator paragraph\u2029separator next\u0085line nbsp\u00a0",
    "[CLS] [SEP] [MASK] [UNK] [PAD] ##a",
    "don't-stop... $3.50 (50%) <b>!</b> `x` ^_^ ~|\\",
    "\ufffd replacement",
    "supercalifragilisticexpialidocious" * 10,
]


def truncate_seq_pair(tokens_a: list[int], tokens_b: list[int], max_length: int) -> None:
    """As in https://github.com/google-research/bert, run_classifier.py."""
    while True:
        total_length = len(tokens_a) + len(tokens_b)
        if total_length <= max_length:
            break
        if len(tokens_a) > len(tokens_b):
            tokens_a.pop()
        else:
            tokens_b.pop()


def reference_pack(segments: Sequence[Sequence[Sequence[int]]], max_tokens: int) -> Packed:
    """As in `convert_single_example` there, without the padding."""
    word_ids, type_ids = [], []
    for row in zip(*segments, strict=True):
        tokens = [list(segment) for segment in row]
        if len(tokens) == 2:
            truncate_seq_pair(tokens[0], tokens[1], max_tokens - 3)
        else:
            tokens = [tokens[0][: max_tokens - 2]]
        words, types = [START], [0]
        for index, segment in enumerate(tokens):
            words += [*segment, SEPARATOR]
            types += [index] * (len(segment) + 1)
        word_ids.append(words)
        type_ids.append(types)
    return word_ids, type_ids


def packed(segments: Sequence[Sequence[Sequence[int]]], max_tokens: int) -> Packed:
    ragged = [tf.ragged.constant(segment, dtype=tf.int32, ragged_rank=1) for segment in segments]
    words, types = pack(ragged, start=START, separator=SEPARATOR, max_tokens=max_tokens)
    assert words.dtype == types.dtype == tf.int32
    return words.to_list(), types.to_list()


@pytest.fixture(scope="module")
def vocabulary(tiny_model: HubModel) -> Vocabulary:
    assert tiny_model.vocab_path
    return Vocabulary(tiny_model.vocab_path, lower_case=True, start=2, separator=3)


@pytest.fixture(scope="module")
def word_pieces(vocabulary: Vocabulary) -> WordPieceTokenizer:
    return WordPieceTokenizer(vocabulary)


@pytest.fixture(scope="module")
def hub_vocabulary(hub_model: Callable[[str], Path]) -> Vocabulary:
    path = hub_model("bert_preprocess") / "assets" / "vocab.txt"
    pieces = path.read_text(encoding="utf-8").splitlines()
    return Vocabulary(str(path), lower_case=True, start=pieces.index("[CLS]"), separator=pieces.index("[SEP]"))


@pytest.fixture(scope="module")
def hub_tokenizer(hub_model: Callable[[str], Path]) -> HubTokenizer:
    return HubTokenizer(tf.saved_model.load(str(hub_model("bert_preprocess"))))


@pytest.fixture(scope="module")
def sentences(shared_data: Callable[[str], Path]) -> list[str]:
    """Real rows of SST-2 and Banking77, whose texts hold newlines."""
    sst2 = (shared_data("SST-2-sentence") / "test.tsv").read_text(encoding="utf-8").splitlines()[:300]
    with open(shared_data("Banking77") / "train.csv", encoding="utf-8", newline="") as stream:
        banking = [row["text"] for row in csv.DictReader(stream)]
    with_newlines = [text for text in banking if "\n" in text]
    assert with_newlines
    return [line.rpartition("\t")[0] for line in sst2] + banking[:300] + with_newlines


@pytest.fixture(scope="module")
def sentence_pairs(shared_data: Callable[[str], Path]) -> list[list[str]]:
    """Real rows of MRPC, with stray quotes and a BOM."""
    with open(shared_data("MRPC") / "dev.tsv", encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [[row[3] for row in rows], [row[4] for row in rows]]


def reference_ids(vocabulary: Vocabulary, texts: Sequence[str]) -> list[list[int]]:
    tokenizer = tf_text.BertTokenizer(vocabulary.path, lower_case=vocabulary.lower_case)
    return tokenizer.tokenize(texts).merge_dims(-2, -1).to_list()


def assert_same_ids(tokenizer: Tokenizer, vocabulary: Vocabulary, columns: list[list[str]], max_tokens: int) -> None:
    segments = [tokenizer.tokenize(tf.constant(column)) for column in columns]
    words, types = pack(segments, start=START, separator=SEPARATOR, max_tokens=max_tokens)
    expected = reference_pack([reference_ids(vocabulary, column) for column in columns], max_tokens)
    assert (words.to_list(), types.to_list()) == expected


@pytest.mark.parametrize("max_tokens", [128, 12])
def test_ids_of_real_sentences_are_those_of_bert(
    hub_vocabulary: Vocabulary, sentences: list[str], max_tokens: int
) -> None:
    assert_same_ids(WordPieceTokenizer(hub_vocabulary), hub_vocabulary, [sentences], max_tokens)


@pytest.mark.parametrize("max_tokens", [128, 40, 41])
def test_ids_of_real_pairs_are_those_of_bert(
    hub_vocabulary: Vocabulary, sentence_pairs: list[list[str]], max_tokens: int
) -> None:
    assert_same_ids(WordPieceTokenizer(hub_vocabulary), hub_vocabulary, sentence_pairs, max_tokens)


@pytest.mark.slow
def test_a_preprocessing_model_gives_the_same_ids(
    hub_tokenizer: HubTokenizer,
    hub_vocabulary: Vocabulary,
    sentences: list[str],
    sentence_pairs: list[list[str]],
) -> None:
    own = WordPieceTokenizer(hub_vocabulary)
    assert (hub_tokenizer.start, hub_tokenizer.separator) == (own.start, own.separator)
    invalid = [b"bad \xff\xfe bytes", b"\xc3"]
    for texts in (sentences, *sentence_pairs, ODD_TEXTS, invalid, []):
        batch = tf.constant(texts, tf.string)
        given, expected = hub_tokenizer.tokenize(batch), own.tokenize(batch)
        assert given.dtype == expected.dtype == tf.int32
        assert given.to_list() == expected.to_list()


def test_odd_texts_have_berts_ids(word_pieces: WordPieceTokenizer, vocabulary: Vocabulary) -> None:
    assert_same_ids(word_pieces, vocabulary, [ODD_TEXTS], 64)
    assert_same_ids(word_pieces, vocabulary, [ODD_TEXTS, ODD_TEXTS[::-1]], 16)


def test_odd_texts_of_a_cased_vocabulary_have_berts_ids(vocabulary: Vocabulary) -> None:
    cased = Vocabulary(vocabulary.path, lower_case=False, start=2, separator=3)
    assert_same_ids(WordPieceTokenizer(cased), cased, [ODD_TEXTS], 64)
    unknown = 1  # the vocabulary has no capitals
    assert WordPieceTokenizer(cased).tokenize(["Good good"]).to_list() == [
        [unknown, *reference_ids(cased, ["good"])[0]]
    ]


def test_empty_texts_have_no_pieces(word_pieces: WordPieceTokenizer) -> None:
    assert word_pieces.tokenize(["", " \n", "\x00", "\u200b"]).to_list() == [[], [], [], []]
    assert word_pieces.tokenize(tf.constant([], tf.string)).to_list() == []


@pytest.mark.parametrize("text", [b"good \xff film", b"good \xc3", b"\xed\xa0\x80 bad", b"\x80\x81\x82"])
def test_bytes_that_are_not_utf_8_are_replaced(
    word_pieces: WordPieceTokenizer, vocabulary: Vocabulary, text: bytes
) -> None:
    given = word_pieces.tokenize(tf.constant([text, b"fine"])).to_list()
    transcoded = tf.strings.unicode_transcode([text], "UTF-8", "UTF-8").numpy()[0].decode("utf-8")
    assert "\ufffd" in transcoded
    assert given == reference_ids(vocabulary, [transcoded, "fine"])


@pytest.mark.parametrize("unit", ["good ", "x", "👍", "!", "\x00"])
def test_a_hundred_thousand_characters_fit(word_pieces: WordPieceTokenizer, vocabulary: Vocabulary, unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    assert_same_ids(word_pieces, vocabulary, [[text, "fine"]], 64)
    words, _ = pack([word_pieces.tokenize([text])] * 2, start=START, separator=SEPARATOR, max_tokens=64)
    assert words.to_list()[0].count(SEPARATOR) == 2
    assert words.row_lengths().numpy()[0] <= 64


@pytest.mark.parametrize(("pieces", "kept"), [(5, 5), (6, 6), (7, 6), (1000, 6)])
def test_max_tokens_counts_the_special_tokens(pieces: int, kept: int) -> None:
    words, types = packed([[list(range(pieces))]], max_tokens=8)
    assert words == [[START, *range(kept), SEPARATOR]]
    assert types == [[0] * (kept + 2)]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (3, 2, (3, 2)),  # fits exactly
        (3, 3, (3, 2)),  # of equals the second loses
        (9, 9, (3, 2)),
        (4, 1, (4, 1)),
        (9, 1, (4, 1)),
        (1, 9, (1, 4)),
        (9, 0, (5, 0)),
        (0, 9, (0, 5)),
        (0, 0, (0, 0)),
    ],
)
def test_the_longer_of_a_pair_is_cut_first(first: int, second: int, kept: tuple[int, int]) -> None:
    words, types = packed([[list(range(first))], [list(range(200, 200 + second))]], max_tokens=8)
    assert words == [[START, *range(kept[0]), SEPARATOR, *range(200, 200 + kept[1]), SEPARATOR]]
    assert types == [[0] * (kept[0] + 2) + [1] * (kept[1] + 1)]


SEGMENT = st.lists(st.integers(200, 210), max_size=12)


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(SEGMENT, SEGMENT), min_size=1, max_size=5), max_tokens=st.integers(5, 28))
def test_pairs_are_packed_as_bert_packs_them(pairs: list[tuple[list[int], list[int]]], max_tokens: int) -> None:
    segments = [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]
    words, types = packed(segments, max_tokens)
    assert (words, types) == reference_pack(segments, max_tokens)
    for row in words:
        assert len(row) <= max_tokens
        assert (row[0], row[-1], row.count(SEPARATOR)) == (START, SEPARATOR, 2)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(SEGMENT, min_size=1, max_size=5), max_tokens=st.integers(5, 16))
def test_single_texts_are_packed_as_bert_packs_them(texts: list[list[int]], max_tokens: int) -> None:
    assert packed([texts], max_tokens) == reference_pack([texts], max_tokens)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.text(), st.binary()), min_size=1, max_size=4))
def test_any_bytes_can_be_tokenized(word_pieces: WordPieceTokenizer, texts: list[str | bytes]) -> None:
    batch = [text.encode("utf-8") if isinstance(text, str) else text for text in texts]
    together = word_pieces.tokenize(tf.constant(batch)).to_list()
    assert together == [word_pieces.tokenize(tf.constant([text])).to_list()[0] for text in batch]
