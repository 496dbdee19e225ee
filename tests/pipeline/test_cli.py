"""The `permafrost` command, as its users call it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel

COMMAND = Path(sys.executable).with_name("permafrost")
NOISE = ("WARNING", "absl", "tensorflow/core", "cpu_feature_guard", "oneDNN", "I0000", "E0000", "Warning:")
CONFIG = """
[pipeline]
name = "mine"
root = "run"

[data]
train = "nowhere.csv"
text = ["text"]
label = "label"

[model]
hub = "HUB"
max_tokens = 32
freeze = [{ freeze = "embeddings" }, { freeze = "encoder[:2]" }]
"""


def call(*arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Runs the command without the settings by which tests keep TensorFlow quiet."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [str(COMMAND), *arguments],
        cwd=cwd,
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    for stream in (done.stdout, done.stderr):
        assert "Traceback" not in stream
        assert not [word for word in NOISE if word in stream], stream
    return done


def error(*arguments: str, cwd: Path | None = None) -> str:
    """The one message of a call that the user got wrong."""
    done = call(*arguments, cwd=cwd)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    return done.stderr.removeprefix("error: ").removesuffix("\n")


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory, tiny_hub: Path) -> Path:
    path = tmp_path_factory.mktemp("project") / "mine.toml"
    path.write_text(CONFIG.replace("HUB", str(tiny_hub)))
    return path


def test_version() -> None:
    done = call("--version")
    assert (done.returncode, done.stderr) == (0, "")
    name, number = done.stdout.split()
    assert name == "permafrost"
    assert number[0].isdigit()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["run", "plan", "import-hf", "--version"]),
        (["run"], ["--config", "--set", "--runner", "--json", "Exit code"]),
        (["retrain"], ["--config", "--set", "--every", "--once", "Exit code"]),
        (["plan"], ["--config", "--hub", "--freeze", "--train", "--json", "Example:"]),
        (["import-hf"], ["DIR", "OUT", "--lower-case"]),
    ],
    ids=["permafrost", "run", "retrain", "plan", "import-hf"],
)
def test_help(arguments: list[str], expected: list[str]) -> None:
    done = call(*arguments, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for part in expected:
        assert part in done.stdout


@pytest.mark.slow
def test_what_may_pass_by_itself_is_a_failure_told_as_plainly_as_a_mistake(config_file: Path) -> None:
    uri = "metadata.uri='postgresql://nobody@127.0.0.1:1/nothing'"
    done = call("history", "--config", str(config_file), "--set", uri)
    assert done.returncode == 1
    assert done.stderr.startswith("error: metadata database")
    assert "nothing answers at 127.0.0.1:1" in done.stderr


def test_no_arguments_show_the_help_and_no_error() -> None:
    done = call()
    assert done.returncode == 2
    assert "import-hf" in done.stdout
    assert done.stderr == ""


def test_help_needs_no_tensorflow() -> None:
    code = (
        "import sys\nfrom pipeline.cli import app\n"
        "try:\n    app.app(['run', '--help'], standalone_mode=False)\nfinally:\n"
        "    print('HEAVY', sorted({'tensorflow', 'tfx', 'numpy', 'apache_beam'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plan"], "plan: give either --config FILE or --hub MODEL"),
        (["plan", "--hub", "x", "--config", "y"], "plan: give either --config FILE or --hub MODEL"),
        (["plan", "--config", "y", "--freeze", "all"],
         "plan: --freeze and --train go with --hub; with --config, write --set 'model.freeze=[...]'"),
        (["plan", "--hub", "x", "--set", "model.max_tokens=8"],
         "plan: --set goes with --config; with --hub, write --freeze and --train"),
        (["run"], "Missing option '--config' / '-c'."),
        (["run", "--config", "nowhere/a.toml"], "nowhere/a.toml: no such file; there is no folder nowhere"),
        (["retrain", "--config", "a.toml", "--once", "--every", "0 3 * * *"],
         "retrain: give either --every CRON or --once"),
        (["run", "--confg", "a.toml"], "No such option: --confg"),
        (["rnu"], "No such command 'rnu'."),
        (["import-hf", "only_one"], "Missing argument 'OUT'."),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments: list[str], expected: str, tmp_path: Path) -> None:
    assert error(*arguments, cwd=tmp_path).startswith(expected)
    assert list(tmp_path.iterdir()) == []


def test_wrong_runner(config_file: Path) -> None:
    message = error("run", "--config", str(config_file), "--runner", "spark")
    assert "--runner" in message
    assert "spark" in message
    assert "beam" in message


def test_every_problem_of_a_config_in_one_message(config_file: Path) -> None:
    message = error("run", "--config", str(config_file), "--set", "model.max_token=1", "--set", "train.epochs=many")
    assert message.splitlines() == [
        "2 problems:",
        "  - model.max_token: is not a known key; did you mean 'max_tokens'?",
        "  - train.epochs: should be a valid integer; given 'many'",
    ]


def plan(*arguments: str) -> dict[str, Any]:
    done = call("plan", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    content: dict[str, Any] = json.loads(done.stdout)
    return content


@pytest.mark.slow
def test_plan_as_json(tiny_hub: Path) -> None:
    """Rules hold in the order in which they are typed, whatever options they belong to."""
    content = plan("--hub", str(tiny_hub), "--freeze", "all", "--train=bias", "--freeze", "encoder[0]")

    assert {"model", "variables", "frozen_params", "trainable_params"} <= set(content)
    hub_model = HubModel(str(tiny_hub))
    weights = hub_model.weights
    total = sum(value.size for value in weights.values())
    source = {"hub": str(tiny_hub), "hub_digest": hub_model.digest}
    assert content["model"] == {"family": "bert", "blocks": 3, "hidden": 32, "parameters": total, **source}
    assert content["encoder"].pop("largest_difference") <= 1e-5
    assert content["encoder"] == {"heads": 2, "layers": 3, "positions": 64, "lower_case": True, "rebuilt": True}
    variables = content["variables"]
    for variable in variables:
        assert {"name", "block", "trainable", "parameters", "rule"} <= set(variable)
    assert {variable["name"]: variable["parameters"] for variable in variables} == {
        name: value.size for name, value in weights.items()
    }
    blocks = list(dict.fromkeys(variable["block"] for variable in variables))
    assert blocks == ["embeddings", "encoder[0]", "encoder[1]", "encoder[2]", "pooler"]
    for variable in variables:
        is_bias = variable["name"].endswith("/bias")
        rule = 2 if variable["block"] == "encoder[0]" else 1 if is_bias else 0
        assert (variable["rule"], variable["trainable"]) == (rule, rule == 1)
    trainable = sum(variable["parameters"] for variable in variables if variable["trainable"])
    assert (content["trainable_params"], content["frozen_params"]) == (trainable, total - trainable)


@pytest.mark.slow
def test_another_order_is_another_plan(permafrost: Any, tiny_hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["plan", "--hub", str(tiny_hub), "--train", "bias", "--freeze", "all"]
    # Where the order is read from.
    monkeypatch.setattr(sys, "argv", ["permafrost", *arguments])
    with pytest.raises(UserError) as caught:
        permafrost(*arguments)
    assert str(caught.value) == (
        "rule 1 `train bias`: repeats what holds anyway: everything trains until a rule freezes it; "
        "remove it, or put it after the rule it should override"
    )


def test_plan_refuses_the_tokenizer_that_a_run_would_refuse(permafrost: Any, config_file: Path) -> None:
    for key in ("vocab", "preprocess"):
        with pytest.raises(UserError) as error:
            permafrost("plan", "--config", str(config_file), "--set", f"model.{key}=nowhere")
        assert str(error.value).startswith(f"model.{key}: no such ")
        assert permafrost.out == ""


@pytest.mark.slow
def test_plan_as_table(permafrost: Any, config_file: Path, tiny_hub: Path) -> None:
    """Of a config whose data doesn't exist: none is read."""
    assert (permafrost("plan", "--config", str(config_file)), permafrost.err) == (0, "")
    digest = HubModel(str(tiny_hub)).digest
    for part in ("bert: 3 blocks, width 32, 2 heads", "2. freeze encoder[:2]", "no rule: trains", digest, "saves "):
        assert part in permafrost.out
    lines = dict(line.split(maxsplit=1) for line in permafrost.out.splitlines()[-4:])
    assert lines["model"] == f"{tiny_hub}, uncased"
    assert lines["encoder"].startswith("rebuilt: gelu_tanh, epsilon 1e-12; a probe differs from the SavedModel by ")
    assert lines["program"].endswith("nothing that reaches beyond the model")
    assert lines["digest"] == digest
    assert not (config_file.parent / "run").exists()
