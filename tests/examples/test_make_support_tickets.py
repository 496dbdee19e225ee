"""The quickstart's rows are what the generator makes, and have the properties that its docstring promises."""

import csv
import importlib.util
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT = EXAMPLES / "make_support_tickets.py"
COMMITTED = EXAMPLES / "support_tickets.csv"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_support_tickets", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tickets(generator) -> list[Any]:
    """Made once: it takes seconds."""
    return generator.make_tickets()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with COMMITTED.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_committed_bytes_are_made_again(generator, tickets):
    assert generator.to_csv(tickets) == COMMITTED.read_bytes()


def test_the_command_makes_them_unless_told_otherwise(generator, tickets, tmp_path, monkeypatch):
    def make(rows: int, seed: int) -> list[Any]:
        assert (rows, seed) == (generator.ROWS, generator.SEED)
        return tickets

    monkeypatch.setattr(generator, "make_tickets", make)
    generator.main(["--out", str(tmp_path / "rows.csv")])
    assert (tmp_path / "rows.csv").read_bytes() == COMMITTED.read_bytes()


def test_the_script_makes_the_same_bytes_anywhere(generator, tmp_path):
    out = tmp_path / "rows.csv"
    subprocess.run([sys.executable, SCRIPT, "--rows", "50", "--seed", "7", "--out", out], check=True, cwd=tmp_path)
    assert out.read_bytes() == generator.to_csv(generator.make_tickets(50, 7))


def test_rows_and_seed_are_obeyed(generator, tmp_path):
    made = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.csv"
        generator.main(["--rows", "50", "--seed", seed, "--out", str(out)])
        with out.open(newline="", encoding="utf-8") as file:
            made.append(list(csv.DictReader(file)))
    assert [len(rows) for rows in made] == [50, 50]
    assert made[0] != made[1]


def test_a_csv_reader_gets_back_what_was_written(tickets, rows):
    assert rows == [{"text": t.text, "topic": t.topic, "channel": t.channel} for t in tickets]
    for mark in (",", '"', "\n"):
        assert sum(mark in row["text"] for row in rows) > 100


def test_classes_are_moderately_unbalanced(generator, rows):
    counts = Counter(row["topic"] for row in rows)
    assert set(counts) == set(generator.TOPIC_WEIGHTS)
    assert counts == {
        "delivery": 568,
        "billing": 492,
        "technical": 454,
        "returns": 406,
        "account": 402,
        "complaint": 322,
        "product_question": 310,
        "praise": 246,
    }


def test_lengths_run_from_3_to_60_words(rows):
    lengths = sorted(len(row["text"].split()) for row in rows)
    assert (lengths[0], lengths[-1]) == (3, 60)
    assert 18 <= sum(lengths) / len(lengths) <= 23
    assert sum(n <= 5 for n in lengths) > 0.1 * len(lengths)
    assert sum(n >= 45 for n in lengths) > 0.05 * len(lengths)


def test_channels_differ_in_length(generator, rows):
    words: dict[str, Counter[str]] = {channel: Counter() for channel in generator.CHANNELS}
    for row in rows:
        words[row["channel"]].update(texts=1, words=len(row["text"].split()))
    mean = {channel: count["words"] / count["texts"] for channel, count in words.items()}
    assert max(mean["chat"], mean["social"]) + 3 < min(mean["email"], mean["phone"])


def test_exactly_4_per_cent_are_mislabelled(generator, tickets):
    assert sum(t.topic not in t.about for t in tickets) == 128 == generator.MISLABELLED * len(tickets)


def test_some_texts_speak_of_two_topics(tickets):
    assert 0.03 < sum(len(t.about) == 2 for t in tickets) / len(tickets) < 0.06


def test_few_texts_are_repeated(rows):
    repeated = len(rows) - len({row["text"] for row in rows})
    assert 0 < repeated < 0.01 * len(rows)


def test_no_notation_is_left_in_the_texts(rows):
    assert not [row["text"] for row in rows if set(row["text"]) & set("{}[]|_") or "  " in row["text"]]


def test_every_rule_of_the_grammar_can_be_expanded(generator):
    grammar = generator.Grammar((EXAMPLES / "support_tickets.grammar").read_text(encoding="utf-8"))
    author = generator.Author(grammar, generator.Dice(0))
    for lines in grammar.rules.values():
        assert all(author.expand(line) for line in lines)
