"""The step's entry point, in this process; `test_whole_run.py` starts it as a cluster would."""

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from components.example_gen.spans_read import ReadSpan, SpansRead
from pipeline.config import PipelineConfig
from pipeline.runners.kfp.package import compile_package
from pipeline.runners.kfp.step import main

Package = Any
"""`conftest.Package`, which can't be imported by its name."""
Step = Callable[..., int]


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    return tmp_path / "metadata.sqlite"


@pytest.fixture
def step(package: Package, tmp_path: Path, store_file: Path) -> Step:
    """Runs one step of the package as its command says, with other values for some of the parameters."""

    def run(task: str, run_id: str = "run-1", **changed: str) -> int:
        values = {"run_id": run_id, "pipeline_root": str(tmp_path / "artifacts"), "metadata": f"sqlite:{store_file}"}
        return main(package.arguments(task, values | changed))

    return run


def _executions(store_file: Path) -> list[tuple[str, str]]:
    """Which nodes were launched, and how that ended."""
    store = MetadataStore(sqlite_metadata_connection_config(str(store_file)))
    types = {each.id: each.name.rpartition(".")[2] for each in store.get_execution_types()}
    state = mlmd.Execution.State.Name
    return [(types[each.type_id], state(each.last_known_state)) for each in store.get_executions()]


def test_a_node_runs_and_its_output_is_in_ml_metadata(step: Step, store_file: Path, tmp_path: Path) -> None:
    assert step("freeze-planner") == 0
    assert _executions(store_file) == [("FreezePlanner", "COMPLETE")]
    (plan,) = MetadataStore(sqlite_metadata_connection_config(str(store_file))).get_artifacts_by_type(
        "components.FreezePlan"
    )
    assert Path(plan.uri).is_relative_to(tmp_path / "artifacts" / "FreezePlanner")
    assert plan.custom_properties["frozen_params"].int_value > 0


def test_a_step_that_is_retried_after_it_succeeded_does_nothing(step: Step, store_file: Path) -> None:
    assert [step("freeze-planner"), step("freeze-planner")] == [0, 0]
    assert _executions(store_file) == [("FreezePlanner", "COMPLETE")]


def test_another_run_takes_it_from_tfx_cache_unless_a_parameter_changed(step: Step, store_file: Path) -> None:
    codes = [step("freeze-planner"), step("freeze-planner", "run-2"), step("freeze-planner", "run-3", train_steps="2")]
    assert codes == [0, 0, 0]
    assert [state for _, state in _executions(store_file)] == ["COMPLETE", "CACHED", "COMPLETE"]


def test_a_failed_step_can_be_retried(step: Step, store_file: Path) -> None:
    assert step("freeze-planner", freeze="[") == 2
    assert step("freeze-planner") == 0
    assert [state for _, state in _executions(store_file)] == ["COMPLETE"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"freeze": '[{"freeze": "encoder[9]"}]'}, "encoder[9]"),
        ({"freeze": "[{"}, "model.freeze: is not valid JSON"),
        ({"train": '{"epoch": 2}'}, "train.epoch: is not a known key; did you mean 'epochs'?"),
        ({"thresholds": '{"acuracy": {}}'}, "acuracy"),
        ({"train_steps": "many"}, "train_steps: should be of type int; given 'many'"),
        ({"metadata": "http://localhost"}, "metadata: 'http://localhost' is no address of ML Metadata"),
    ],
)
def test_a_users_mistake_ends_the_log_with_its_message(
    step: Step, capsys: pytest.CaptureFixture[str], changed: dict[str, str], message: str
) -> None:
    assert step("freeze-planner", **changed) == 2
    log = capsys.readouterr().err
    last = log[log.rindex("trainer_module.errors.UserError: ") :]
    assert message in last
    assert "Traceback" not in last


def test_a_parameter_that_the_step_does_not_have(package: Package, capsys: pytest.CaptureFixture[str]) -> None:
    args = [arg for arg in package.container("live-model")["args"] if not arg.startswith("{{")]
    command = ["--node", "live_model", "--run-id", "r", "--pipeline-root", "/r", "--metadata", "sqlite:/tmp/none"]
    assert main([*command, "--parameter", "freeze", "[]", *args[-2:]]) == 2
    assert capsys.readouterr().err.endswith("UserError: freeze: is not a parameter of this step\n")


@pytest.mark.slow
def test_example_gen_reads_the_window_that_ends_at_the_parameter(
    package: Package, make_kfp_config: Callable[..., PipelineConfig], kfp_folder: Path, tmp_path: Path, store_file: Path
) -> None:
    for day in range(1, 5):
        (kfp_folder / f"day-{day}.csv").write_text("text,label\n" + day * "good,pos\nbad,neg\n", encoding="utf-8")
    config = make_kfp_config(f"data.train={kfp_folder}/day-{{SPAN}}.csv", "data.eval=newest", "data.window=3")
    windowed = replace(package, spec=compile_package(config, tmp_path / "pipeline.yaml"))
    given = {"run_id": "run-1", "pipeline_root": str(tmp_path), "metadata": f"sqlite:{store_file}", "span": "3"}
    assert main(windowed.arguments("example-gen", given)) == 0
    store = MetadataStore(sqlite_metadata_connection_config(str(store_file)))
    (examples,) = store.get_artifacts_by_type("Examples")
    assert SpansRead.of(examples) == SpansRead(first_span=1, last_span=3, spans=[ReadSpan(span=n) for n in (1, 2, 3)])
    assert examples.custom_properties["rows_train"].int_value == 6
    assert examples.custom_properties["rows_eval"].int_value == 6


def test_a_node_whose_inputs_are_nowhere(step: Step, store_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert step("statistics-gen") == 1
    assert "StatisticsGen: what it needs of this run (run-1) is not in ML Metadata" in capsys.readouterr().err


def test_ml_metadata_cannot_be_reached(step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        assert step("live-model", metadata=address) == 1
    assert f"ML Metadata at {address} can't be reached: " in capsys.readouterr().err


def test_a_missing_option() -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--node", "Trainer"])
    assert raised.value.code == 2
