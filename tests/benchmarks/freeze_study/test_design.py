"""The amounts of freezing are rules that hold for a model of any depth."""

from pathlib import Path

import pytest

from benchmarks.freeze_study.design import DATA_SETS, LEVELS

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
BY_NAME = {level.name: level for level in LEVELS}


@pytest.mark.parametrize(
    ("name", "blocks", "rules"),
    [
        ("nothing", 6, []),
        ("a quarter", 6, ["freeze embeddings", "freeze encoder[:2]"]),
        ("half", 6, ["freeze embeddings", "freeze encoder[:3]"]),
        ("three quarters", 6, ["freeze embeddings", "freeze encoder[:5]"]),
        ("three quarters", 12, ["freeze embeddings", "freeze encoder[:9]"]),
        ("everything", 6, ["freeze all"]),
        ("all but biases (BitFit)", 6, ["freeze all", "train bias"]),
    ],
)
def test_a_share_of_the_blocks_is_rounded_up(name: str, blocks: int, rules: list[str]) -> None:
    assert BY_NAME[name].rules_for(blocks) == rules


def test_every_data_set_is_one_of_the_configurations() -> None:
    assert [(CONFIGS / data_set.config).is_file() for data_set in DATA_SETS] == [True] * 3
