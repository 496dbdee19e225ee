"""Damaged input is read or refused with a clear message: models, rows, configs and freeze rules."""

import bz2
import copy
import gzip
import json
import lzma
import shutil
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
import tensorflow as tf
import zstandard
from google.protobuf.message import Message
from hypothesis import strategies as st
from tensorflow.core.protobuf import saved_model_pb2

from components.example_gen.bad_row import BadRow
from components.example_gen.delimited_executor import read_delimited
from components.example_gen.delimited_rows import read_header
from components.example_gen.row_checks import label_of, prepare
from components.example_gen.row_format import RowFormat
from components.example_gen.tfrecord_executor import read_tfrecord
from pipeline.config_file import load_config
from tests.fuzz.conftest import Fuzz
from trainer_module.freezing.freeze_plan import make_plan
from trainer_module.freezing.freeze_rules import parse_rules
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.layout import EncoderLayout
from trainer_module.hub.private_copy import private_copy
from trainer_module.settings import BertSettings, ModelSettings

pytestmark = pytest.mark.fuzz

RULES = (
    *(
        "freeze all",
        "freeze embeddings",
        "freeze encoder[:3]",
        "freeze encoder[0,2] until_epoch=2",
        "freeze encoder[-2:]",
    ),
    *("train pooler lr=0.1", "train layer_[0-2]/**/bias", r"freeze re:layer_\d+/output", "train */kernel lr=2"),
)
RULE_PIECES = (
    *("re:", "**", "*", "?", "[", "]", "[!", ":", ",", "-", "(", ")", "(a+)+", "{9999}", "(?P<", "(?i)", "\\"),
    *("encoder[", "lr=", "until_epoch=", "layer_1", "nan", "1e999", "9" * 5000, "٣"),
)
OVERRIDES = (
    *("train.epochs=1", "model.max_tokens=64", r"data.delimiter=\t", "data.encoding=latin-1", "data.span=2026-11-30"),
    *('model.freeze=[{ freeze = "all" }]', 'retrain.hook=["./tell.sh"]', "retrain.webhook=https://example.com/hook"),
    *("metadata.uri=sqlite:///runs/metadata.db", "beam.workers=2", "evaluate.thresholds.accuracy.at_least=0.5"),
    *("vertex.labels={ a = 1 }", "data_gate.min_rows=2", 'evaluate.slices=[["topic"]]', "data.window=7", "kfp={}"),
    *("retrain.timezone=Europe/Berlin", 'model.hub_hosts=["tfhub.dev"]', "push.keep_versions=2", "pipeline.name=x"),
)
TOML_PIECES = (
    *('"', "'", '"""', "[", "]", "[[", "=", ".", "{", "}", "\n", "#", "1e400", "nan", "-1", "true", "2026-11-30"),
    *("[data]\n", "\\u0000", "[" * 2000, "a." * 2000, "9" * 5000, "{YYYY}", "{SPAN}", "~", "https://[::1"),
)
CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
NUMBERS = (0, 1, -1, 2, 7, 10**6, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
ODD_TEXTS = (
    "",
    "\0",
    "\n",
    "\r",
    "\x1b[2J",
    "é",
    "\ufeff",
    "\ud800",
    "/",
    "..",
    "../../x",
    '"',
    "'",
    "%s",
    "{x}",
    "a" * 5000,
)


@st.composite
def damaged_text(draw: st.DrawFn, original: str, pieces: tuple[str, ...] = ()) -> str:
    """The text with some places replaced by something else: nothing, a token, or another part of it."""
    text = original
    for _ in range(draw(st.integers(1, 4))):
        start, other = (draw(st.integers(0, len(text))) for _ in "so")
        removed, taken = (draw(st.sampled_from((0, 0, 1, 3, 10, 100))) for _ in "rt")
        choice = (st.sampled_from((*ODD_TEXTS, *pieces)), st.text(max_size=8), st.just(text[other : other + taken]))
        text = text[:start] + draw(st.one_of(*choice)) + text[start + removed :]
    return text


@st.composite
def damaged_bytes(draw: st.DrawFn, original: bytes) -> bytes:
    """The same for bytes, which may also be cut off."""
    content = original
    for _ in range(draw(st.integers(1, 4))):
        start, other = (draw(st.integers(0, len(content))) for _ in "so")
        removed, taken = (draw(st.sampled_from((0, 1, 1, 4, 100))) for _ in "rt")
        piece = draw(st.one_of(st.binary(max_size=8), st.just(content[other : other + taken])))
        content = content[:start] + piece + content[start + removed :]
    return content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 4)) == 0 else content


def damage(draw: st.DrawFn, message: Message) -> None:
    """Changes one place in a message, however deep: a value, or an element that is removed, repeated or renamed."""
    while fields := message.ListFields():
        field, value = draw(st.sampled_from(fields))
        if isinstance(value, Message):
            if draw(st.integers(0, 9)) == 0:
                message.ClearField(field.name)
                return
            message = value
        elif not hasattr(value, "__len__") or isinstance(value, str | bytes):
            setattr(message, field.name, other_value(draw, value))
            return
        else:
            key = draw(st.sampled_from(sorted(value) if hasattr(value, "keys") else range(len(value))))
            if isinstance(value[key], Message) and draw(st.integers(0, 3)):
                message = value[key]
                continue
            damage_element(draw, value, key)
            return


def damage_element(draw: st.DrawFn, container: Any, key: Any) -> None:
    other = draw(st.sampled_from(sorted(container) if hasattr(container, "keys") else range(len(container))))
    element, another = copy.deepcopy(container[key]), copy.deepcopy(container[other])
    is_message = isinstance(element, Message)
    match draw(st.sampled_from(("remove", "repeat", "replace"))):
        case "remove":
            del container[key]
        case "repeat" if hasattr(container, "keys"):
            new = draw(st.sampled_from(("", "x", "\0"))) if isinstance(key, str) else draw(st.integers(0, 100))
            container[new].CopyFrom(element) if is_message else container.update({new: element})
        case "repeat":
            is_large = is_message and element.ByteSize() > 1000
            container.extend([element] * (1 if is_large else draw(st.sampled_from((1, 1000)))))
        case _ if is_message:
            container[key].CopyFrom(another)
        case _:
            container[key] = other_value(draw, element)


def other_value(draw: st.DrawFn, value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return draw(st.sampled_from((*NUMBERS, value + 1, value - 1)))
        case float():
            return draw(st.floats())
        case bytes():
            return draw(damaged_bytes(value[:1000]))
        case _:
            return draw(damaged_text(value)).encode(errors="replace").decode()


@st.composite
def damaged_programs(draw: st.DrawFn, original: bytes) -> bytes:
    if draw(st.integers(0, 4)) == 0:
        return draw(damaged_bytes(original))
    program = saved_model_pb2.SavedModel.FromString(original)
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 5)))):
        try:
            damage(draw, program)
        except ValueError:  # an enum or a 32-bit number doesn't take the value
            continue
    return program.SerializeToString()


def test_hub_models(fuzz: Fuzz, tiny_hub: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_hub, folder)

    def read(program: bytes) -> None:
        (folder / "saved_model.pb").write_bytes(program)
        try:
            model = HubModel(str(folder))
            plan_freeze(ModelSettings(hub=str(folder), max_tokens=16), model)
            assert model.scan.summary and model.lower_case in (True, False, None) and model.vocab_path != ""
        finally:
            shutil.rmtree(private_copy(str(folder)).folder)

    fuzz(damaged_programs((tiny_hub / "saved_model.pb").read_bytes()), read)


TABLE = b'text,topic,more\r\n"a ""good"", long\nfilm",yes,1\r\nbad story,no,2\r\n\r\n"caf\xc3\xa9",yes,\r\n'
PLAIN = 'it is "good"\t1.5\nbad\t-2\n'
CSV = RowFormat(text=["text"], label="topic")
TSV = RowFormat(
    columns=["text", "topic"],
    delimiter="\t",
    quoting="none",
    encoding="utf-16",
    text=["text"],
    label="topic",
    task="regression",
)
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": partial(gzip.compress, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".deflate": zlib.compress,
}


def example(**values: Any) -> bytes:
    made = tf.train.Example()
    for name, value in values.items():
        kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(value)]
        getattr(made.features.feature[name], kind).value.append(value)
    return bytes(made.SerializeToString(deterministic=True))  # in one order


def framed(record: bytes) -> bytes:
    """One record of a TFRecord file."""

    def checksum(content: bytes) -> bytes:
        crc = google_crc32c.value(content)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(record))
    return length + checksum(length) + record + checksum(record)


@st.composite
def damaged_files(draw: st.DrawFn) -> tuple[str, bytes, RowFormat]:
    """A name, a content and what is said of it; damaged before it is compressed or after."""
    ending = draw(st.sampled_from(list(PACK)))
    kind = draw(st.sampled_from(("csv", "tsv", "tfrecord")))
    rows = {"csv": CSV, "tsv": TSV, "tfrecord": RowFormat(format="tfrecord", text=["text"], label="topic")}[kind]
    content = {"csv": TABLE, "tsv": PLAIN.encode("utf-16")}.get(kind, b"")
    if kind == "tfrecord":
        records = [example(text=b"good film", topic=1), example(text=b"bad", topic=b"no", more=0.5)]
        damaged = draw(st.booleans())
        content = b"".join(framed(draw(damaged_bytes(record)) if damaged else record) for record in records)
    if draw(st.booleans()):
        content = draw(damaged_bytes(content))
    content = PACK[ending](content)
    return f"rows.{kind}{ending}", draw(damaged_bytes(content)) if draw(st.booleans()) else content, rows


def test_rows(fuzz: Fuzz, tmp_path: Path) -> None:
    def read(case: tuple[str, bytes, RowFormat]) -> None:
        name, content, rows = case
        path = tmp_path / name
        path.write_bytes(content)
        if rows.format == "csv":
            read_header(str(path), rows)
        for row in read_tfrecord(str(path), rows) if rows.format == "tfrecord" else read_delimited(str(path), rows):
            if not isinstance(row, BadRow) and prepare(row[1], rows) is None:
                assert label_of(row[1].SerializeToString(), rows.label)

    fuzz(damaged_files(), read)


def test_configs(fuzz: Fuzz, tmp_path: Path) -> None:
    path = tmp_path / "configs" / "fuzzed.toml"
    path.parent.mkdir()
    texts = st.sampled_from([file.read_text(encoding="utf-8") for file in CONFIGS])
    overrides = st.sampled_from(OVERRIDES).flatmap(
        lambda override: damaged_text(override, TOML_PIECES) | st.just(override)
    )

    def read(case: tuple[str, list[str]]) -> None:
        path.write_bytes(case[0].encode("utf-8", "surrogatepass"))
        load_config(path, case[1]).bert_settings()

    fuzz(
        st.tuples(
            texts.flatmap(lambda text: damaged_text(text, TOML_PIECES) | st.just(text)), st.lists(overrides, max_size=3)
        ),
        read,
    )


def test_rules(
    fuzz: Fuzz, bert_4: EncoderLayout, bert_12: EncoderLayout, albert: EncoderLayout, unnumbered: EncoderLayout
) -> None:
    texts = st.sampled_from(RULES).flatmap(lambda rule: damaged_text(rule, RULE_PIECES) | st.just(rule))
    values = texts | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(texts, max_size=2)
    keys = st.sampled_from(("freeze", "train", "until_epoch", "lr", "Freeze", ""))
    rules = st.lists(texts | st.dictionaries(keys, values, max_size=3), max_size=4)
    written = rules.map(json.dumps).flatmap(lambda text: damaged_text(text, RULE_PIECES) | st.just(text))

    layouts = {"bert_4": bert_4, "bert_12": bert_12, "albert": albert, "unnumbered": unnumbered}

    def read(case: tuple[Any, str]) -> None:
        given, layout = case[0], layouts[case[1]]
        bert = {"hub": "model", "text": ["text"], "label": "topic", "freeze": given}
        settings = BertSettings.from_custom_config({"bert": bert})
        assert parse_rules([str(rule) for rule in settings.freeze]) == settings.freeze
        plan = make_plan(settings.freeze, layout)
        assert len(plan.variables) == len(layout.variables)

    fuzz(st.tuples(rules | written, st.sampled_from(list(layouts))), read)
