"""All systems are compared at equal settings, one right after the other."""

from pathlib import Path

import pytest

from benchmarks.training import design
from benchmarks.training.design import (
    ADAM_EPSILON,
    BATCH_SIZE,
    CLIP_NORM,
    LEVELS,
    WARMUP_FRACTION,
    WEIGHT_DECAY,
    Task,
    model_folder,
    rate_factor,
    tasks,
)
from trainer_module.errors import UserError
from trainer_module.settings import TrainSettings
from trainer_module.training.optimizer import WarmupLinearDecay, make_optimizer


def test_what_is_compared_is_measured_one_after_the_other() -> None:
    systems = [(task.frozen, task.epochs, task.system, task.dtype) for task in tasks()]
    huggingface, ours, bfloat16, tfx = (
        ("huggingface", "float32"),
        ("permafrost", "float32"),
        ("permafrost", "bfloat16"),
        ("tfx", "float32"),
    )
    assert systems == [
        *[("nothing", 3, *each) for each in (huggingface, ours, bfloat16)],
        *[("half", 3, *each) for each in (huggingface, ours, bfloat16)],
        *[("half", 5, *each) for each in (huggingface, ours)],
        *[("all", 3, *each) for each in (huggingface, ours, bfloat16)],
        *[("all", 5, *each) for each in (huggingface, ours)],
        ("all", 3, *tfx),
        ("nothing", 3, *tfx),
    ]


@pytest.mark.parametrize("total_steps", [1, 4, 192, 320])
def test_the_peer_gets_our_learning_rate_at_every_step(total_steps: int) -> None:
    ours = WarmupLinearDecay(1.0, round(WARMUP_FRACTION * total_steps), total_steps)
    rates = [float(ours(step)) for step in range(total_steps)]
    assert [rate_factor(step, total_steps) for step in range(total_steps)] == pytest.approx(rates, abs=1e-6)


def test_the_peer_gets_what_our_trainer_has_by_default() -> None:
    settings = TrainSettings()
    assert (settings.warmup_fraction, settings.weight_decay) == (WARMUP_FRACTION, WEIGHT_DECAY)
    assert (settings.clip_norm, settings.batch_size) == (CLIP_NORM, BATCH_SIZE)
    assert make_optimizer(settings, 10).epsilon == ADAM_EPSILON


def test_a_level_freezes_the_same_by_rule_and_by_number_of_blocks() -> None:
    frozen = {name: (level.rules, level.frozen_blocks, level.pooler_trains) for name, level in LEVELS.items()}
    assert frozen == {
        "nothing": ((), 0, True),
        "half": (("freeze embeddings", "freeze encoder[:3]"), 3, True),
        "all": (("freeze all",), 6, False),
    }
    assert Task("tfx", "all", "float32", 3).level is LEVELS["all"]


@pytest.mark.parametrize("system", ["permafrost", "huggingface", "tfx"])
def test_missing_weights_are_a_users_mistake(
    system: design.System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(design, "ROOT", tmp_path)
    with pytest.raises(UserError, match=rf"the MiniLM-L6 weights for {system} are not in .*; `make bench` puts"):
        model_folder(system)
