"""Whatever can be known to be wrong is said before a run, and all of it at once."""

from pathlib import Path
from typing import Any

import pytest

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.preflight import plan_run
from trainer_module.settings import BertSettings


def settings(hub: Path, **more: Any) -> BertSettings:
    return BertSettings.model_validate({"hub": str(hub), "text": ["t"], "label": "l", "max_tokens": 16, **more})


def test_the_plan_names_the_model_and_its_content(tiny_hub: Path, tiny_model: HubModel) -> None:
    plan = plan_run(settings(tiny_hub, freeze=["freeze embeddings"]))
    assert (plan.model.hub, plan.model.hub_digest) == (str(tiny_hub), tiny_model.digest)
    assert len(plan.frozen_names) == 5


def test_problems_of_rules_lengths_and_vocabulary_come_together(tiny_hub: Path, tmp_path: Path) -> None:
    given = settings(tiny_hub, freeze=["freeze layer_9"], vocab=str(tmp_path / "none.txt")).model_copy(
        update={"max_tokens": 100}
    )
    with pytest.raises(UserError) as error:
        plan_run(given)
    assert error.value.problems == [
        f"model.max_tokens: 100 is beyond the 64 positions of {tiny_hub}; set it to 64 or less",
        "rule 1 `freeze layer_9`: selects no variable of this model; did you mean `layer_2`?",
        f"model.vocab: no such vocabulary file: {tmp_path}/none.txt",
    ]
