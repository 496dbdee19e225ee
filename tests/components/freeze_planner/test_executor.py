"""FreezePlanner, run as TFX runs it: a plan of what the settings say, or one message and nothing."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.artifacts import FreezePlan as FreezePlanArtifact
from components.freeze_planner import plan_files
from components.freeze_planner.executor import Executor
from trainer_module.errors import UserError
from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings

RULES = [{"freeze": "embeddings"}, {"freeze": "encoder[:2]"}, {"train": "layer_1/output/bias"}]

Run = Callable[..., FreezePlanArtifact]


@pytest.fixture
def artifact(tmp_path: Path) -> FreezePlanArtifact:
    made = FreezePlanArtifact()
    made.uri = str(tmp_path)
    return made


@pytest.fixture
def run(artifact: FreezePlanArtifact, tiny_hub: Path) -> Run:
    """Runs the executor; keyword arguments are settings."""

    def run_executor(**settings: Any) -> FreezePlanArtifact:
        given = {"hub": str(tiny_hub), "text": ["a"], "label": "b", "max_tokens": 16, **settings}
        Executor().Do({}, {"freeze_plan": [artifact]}, {"custom_config": json.dumps({"bert": given})})
        return artifact

    return run_executor


def files(artifact: FreezePlanArtifact) -> list[str]:
    return sorted(path.name for path in Path(artifact.uri).iterdir())


def custom_properties(artifact: FreezePlanArtifact) -> Mapping[str, Any]:
    values = artifact.mlmd_artifact.custom_properties
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def test_the_plan_is_the_one_that_the_trainer_will_make(run: Run, tiny_hub: Path) -> None:
    made = run(freeze=RULES[:2], learning_rate=1e-3)
    assert files(made) == ["freeze_plan.html", "freeze_plan.json"]
    plan = FreezePlan.from_json(Path(made.uri, "freeze_plan.json").read_text(encoding="utf-8"))
    settings = BertSettings.model_validate(
        {"hub": str(tiny_hub), "text": ["a"], "label": "b", "max_tokens": 16, "freeze": RULES[:2]}
    )
    assert plan == plan_freeze(settings, HubModel(str(tiny_hub)))
    assert {block.name: block.state for block in plan.blocks()} == {
        "embeddings": "frozen",
        "encoder[0]": "frozen",
        "encoder[1]": "frozen",
        "encoder[2]": "trains",
        "pooler": "trains",
    }


def test_ml_metadata_can_be_asked_for_the_plan(run: Run, tiny_hub: Path) -> None:
    made = run(freeze=RULES[:2])
    plan = FreezePlan.from_json(Path(made.uri, "freeze_plan.json").read_text(encoding="utf-8"))
    assert custom_properties(made) == {
        "hub": str(tiny_hub),
        "hub_digest": HubModel(str(tiny_hub)).digest,
        "plan_digest": plan.digest(),
        "frozen_params": plan.frozen_params,
        "trainable_params": plan.trainable_params,
    }


def test_the_page_shows_each_part_with_its_share_and_its_rules(run: Run, tiny_hub: Path) -> None:
    page = Path(run(freeze=RULES).uri, "freeze_plan.html").read_text(encoding="utf-8")
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert re.fullmatch("[0-9a-f]{64}", facts.pop("plan digest"))
    assert facts == {
        "model": str(tiny_hub),
        "digest, to pin as model.hub_digest": HubModel(str(tiny_hub)).digest,
        "family": "bert",
        "blocks": "3",
        "width": "32",
        "parameters": "33,760",
        "frozen": "24,128 (71.5%)",
        "trainable": "9,632 (28.5%), and the task head",
    }
    cells = [re.sub("<.*?>", "", cell) for cell in re.findall(r"<td.*?>(.*?)</td>", page, re.DOTALL)]
    assert [cells[index : index + 5] for index in range(0, len(cells), 5)] == [
        ["embeddings", "7,072", "100.0%", "frozen", "1. freeze embeddings"],
        ["encoder[0]", "8,544", "100.0%", "frozen", "2. freeze encoder[:2]"],
        ["encoder[1]", "8,544", "99.6%", "partly frozen", "2. freeze encoder[:2]\n3. train layer_1/output/bias"],
        ["encoder[2]", "8,544", "0.0%", "trains", "no rule: trains"],
        ["pooler", "1,056", "0.0%", "trains", "no rule: trains"],
    ]
    assert re.findall("background-size: (.*?) 100%", page) == ["100.0%", "100.0%", "99.6%", "0.0%", "0.0%"]


def test_a_pooler_that_the_head_does_not_read_is_shown_as_unused(run: Run) -> None:
    page = Path(run(pooling="mean").uri, "freeze_plan.html").read_text(encoding="utf-8")
    assert "<dd>1,056 (3.1%, 1,056 of them unused by the head)</dd>" in page
    assert "<td>unused</td><td>the head doesn&#39;t read it</td>" in page


def test_bert_may_be_json_text(artifact: FreezePlanArtifact, tiny_hub: Path) -> None:
    bert = json.dumps({"hub": str(tiny_hub), "text": ["a"], "label": "b", "max_tokens": 16, "freeze": ["freeze all"]})
    Executor().Do({}, {"freeze_plan": [artifact]}, {"custom_config": json.dumps({"bert": bert})})
    assert (
        FreezePlan.from_json(Path(artifact.uri, "freeze_plan.json").read_text(encoding="utf-8")).trainable_params == 0
    )


def test_all_that_is_wrong_is_one_message_and_nothing_is_written(
    run: Run, artifact: FreezePlanArtifact, tiny_hub: Path
) -> None:
    with pytest.raises(UserError) as caught:
        run(freeze=[{"freeze": "embedings"}, {"freeze": "encoder[3]"}], max_tokens=65)
    assert caught.value.problems == [
        f"model.max_tokens: 65 is beyond the 64 positions of {tiny_hub}; set it to 64 or less",
        "rule 1 `freeze embedings`: selects no variable of this model; did you mean `embeddings`?",
        "rule 2 `freeze encoder[3]`: there is no block 3: this model has 3 blocks, `encoder[0]` … `encoder[2]`",
    ]
    assert files(artifact) == []
    assert custom_properties(artifact) == {}


def test_wrong_settings_are_refused(run: Run) -> None:
    with pytest.raises(UserError, match=r"^bert\.epochs: should be .* given 0$"):
        run(epochs=0)


def test_another_digest_than_the_pinned_one_is_refused(run: Run, artifact: FreezePlanArtifact, tiny_hub: Path) -> None:
    pinned = "sha256:" + 64 * "0"
    with pytest.raises(UserError) as caught:
        run(hub_digest=pinned)
    assert str(caught.value) == (
        f"model.hub_digest: {tiny_hub} has changed: it is {HubModel(str(tiny_hub)).digest}, not {pinned}; "
        "fetch the model you meant, or put the new digest in the config"
    )
    assert files(artifact) == []


def test_the_models_program_is_not_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise AssertionError(f"{path} was loaded")

    monkeypatch.setattr(tf.saved_model, "load", refuse)
    assert files(run()) == ["freeze_plan.html", "freeze_plan.json"]


def test_a_plan_that_cannot_be_written_leaves_no_page(
    run: Run, artifact: FreezePlanArtifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(artifact.uri, "other.txt").write_text("mine")
    open_file = plan_files.fileio.open

    def open_or_fail(path: str, mode: str = "r") -> Any:
        if path.endswith(".json"):
            assert files(artifact) == ["freeze_plan.html", "other.txt"], "the plan is written last"
            raise OSError("no space left on device")
        return open_file(path, mode)

    monkeypatch.setattr(plan_files.fileio, "open", open_or_fail)
    with pytest.raises(OSError, match="no space left"):
        run()
    assert files(artifact) == ["other.txt"]


def test_the_plan_is_of_the_rules_that_the_run_was_given(artifact: FreezePlanArtifact, tiny_hub: Path) -> None:
    bert = {"hub": str(tiny_hub), "text": ["a"], "label": "b", "max_tokens": 16, "freeze": RULES}
    properties = {"custom_config": json.dumps({"bert": bert}), "freeze": '["freeze all"]', "train": "{}"}
    Executor().Do({}, {"freeze_plan": [artifact]}, properties | {"train_steps": 3, "thresholds": "{}"})
    plan = FreezePlan.from_json(Path(artifact.uri, "freeze_plan.json").read_text(encoding="utf-8"))
    assert (plan.trainable_params, [str(rule) for rule in plan.rules]) == (0, ["freeze all"])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"freeze": '["freeze embedings"]'},
         "rule 1 `freeze embedings`: selects no variable of this model; did you mean `embeddings`?"),
        ({"freeze": "[freeze all]"},
         "model.freeze: is not valid JSON: Expecting value: line 1 column 2 (char 1); write a list of rules such as "
         '[{"freeze": "embeddings"}, {"freeze": "encoder[:3]"}]'),
        ({"train": '{"epochs": 0}'}, "train.epochs: should be greater than or equal to 1; given 0"),
        ({"train": '{"epochs": 2}', "freeze": '["freeze encoder[0] until_epoch=2"]'},
         "rule 1 `freeze encoder[0] until_epoch=2`: would never train what it selects, because training ends with "
         "epoch 2 (train.epochs); write `freeze encoder[0]`, or train for 3 epochs or more"),
        ({"thresholds": '{"accuracy": {"at_most": 1}}'},
         "evaluate.thresholds.accuracy.at_most: does not fit accuracy, where more is better; use at_least; given 1"),
    ],
)  # fmt: skip
def test_what_the_run_was_given_wrong_ends_it_here(
    artifact: FreezePlanArtifact, tiny_hub: Path, parameters: dict[str, Any], expected: str
) -> None:
    bert = {"hub": str(tiny_hub), "text": ["a"], "label": "b", "max_tokens": 16}
    with pytest.raises(UserError) as caught:
        Executor().Do({}, {"freeze_plan": [artifact]}, {"custom_config": json.dumps({"bert": bert})} | parameters)
    assert str(caught.value) == expected
    assert files(artifact) == []
