"""A package runs as a cluster would run it, against an ML Metadata service.

The first run's Trainer has a process of its own, as every step has in a cluster; the other steps' commands are called
in this process, where they needn't import TensorFlow anew. `make soak` runs each step in a process.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.compiled.job import load_job
from pipeline.compiled.order import topological_order
from pipeline.compiled.parameters import runtime_parameters
from pipeline.runners.kfp.step import main
from tests.support.compiled_run import run_mostly_here
from trainer_module.audit.plan_in_model import read_plan

pytestmark = pytest.mark.slow

Package = Any
"""`conftest.Package`, which can't be imported by its name."""

FROM_THE_CACHE = {"ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "DataProfile", "Transform"}
NODES = FROM_THE_CACHE | {
    "FreezePlanner", "DataGate", "Trainer", "live_model", "Evaluator", "FreezeAudit", "ReleaseGate", "Pusher"
}  # fmt: skip


@dataclass
class Node:
    """What ML Metadata says of one node in one run."""

    state: str
    inputs: Mapping[str, list[mlmd.Artifact]]
    outputs: Mapping[str, list[mlmd.Artifact]]


def _nodes(store: MetadataStore, run_id: str) -> dict[str, Node]:
    (run,) = [each for each in store.get_contexts_by_type("pipeline_run") if each.name == run_id]
    nodes = {}
    for execution in store.get_executions_by_context(run.id):
        (of_node,) = [each for each in store.get_contexts_by_execution(execution.id) if each.type == "node"]
        sides: dict[bool, dict[str, list[mlmd.Artifact]]] = {True: {}, False: {}}
        for event in store.get_events_by_execution_ids([execution.id]):
            (artifact,) = store.get_artifacts_by_id([event.artifact_id])
            key = next(step.key for step in event.path.steps if step.HasField("key"))
            sides[event.type == mlmd.Event.INPUT].setdefault(key, []).append(artifact)
        state = mlmd.Execution.State.Name(execution.last_known_state)
        nodes[of_node.name.removeprefix("mine.")] = Node(state, sides[True], sides[False])
    return nodes


def _first_run(package: Package, address: str, root: Path, in_processes: Collection[str]) -> None:
    job = load_job(package.path)
    run_mostly_here(job, runtime_parameters(job, [f"metadata={address}"]), root, in_processes)


@pytest.fixture(scope="module")
def runs(
    package: Package, metadata_service: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Node]]:
    """The config's rules; then everything frozen, by a parameter."""
    address, file = metadata_service
    _first_run(package, address, tmp_path_factory.mktemp("root"), in_processes={"trainer"})
    values = {"run_id": "second", "metadata": address, "freeze": '[{"freeze": "all"}]'}
    for task in topological_order(load_job(package.path)):
        assert main(package.arguments(task.name, values)) == 0, task.name
    store = MetadataStore(sqlite_metadata_connection_config(str(file)))
    ids = [run.name for run in sorted(store.get_contexts_by_type("pipeline_run"), key=lambda run: run.id)]
    return [_nodes(store, run_id) for run_id in ids]


def test_the_first_run_ends_in_a_pushed_model(runs: list[dict[str, Node]], kfp_folder: Path) -> None:
    first, _ = runs
    assert {name: node.state for name, node in first.items()} == dict.fromkeys(NODES, "COMPLETE")
    (pushed,) = first["Pusher"].outputs["pushed_model"]
    folder = Path(pushed.custom_properties["pushed_destination"].string_value)
    assert folder.parent == kfp_folder / "serving"
    assert (folder / "saved_model.pb").is_file()
    assert "baseline_model" not in first["Evaluator"].inputs


def test_artifacts_are_below_the_pipeline_root(runs: list[dict[str, Node]], kfp_folder: Path) -> None:
    made = [artifact for node in runs[0].values() for key in node.outputs for artifact in node.outputs[key]]
    assert {Path(artifact.uri).relative_to(kfp_folder / "artifacts").parts[0] for artifact in made} == (
        NODES - {"live_model"}
    )


def test_the_second_run_compares_with_the_model_of_the_first(runs: list[dict[str, Node]]) -> None:
    first, second = runs
    (live,) = second["live_model"].outputs["model"]
    (baseline,) = second["Evaluator"].inputs["baseline_model"]
    (model,) = first["Trainer"].outputs["model"]
    assert live.id == baseline.id == model.id
    assert second["Trainer"].outputs["model"][0].id != model.id


def test_the_second_run_does_again_what_the_rules_change(runs: list[dict[str, Node]]) -> None:
    _, second = runs
    assert {name: node.state for name, node in second.items()} == {
        name: "CACHED" if name in FROM_THE_CACHE else "COMPLETE" for name in NODES
    }


def _frozen(version: Path) -> set[str]:
    plan = read_plan(str(version))
    assert plan is not None
    return {block.name for block in plan.blocks() if block.frozen_params == block.parameters}


def test_what_is_frozen_is_what_each_run_was_told(runs: list[dict[str, Node]], kfp_folder: Path) -> None:
    rules, parameter = [_frozen(version) for version in sorted((kfp_folder / "serving").iterdir())]
    assert rules == {"embeddings"}
    assert parameter == {"embeddings", "encoder[0]", "encoder[1]", "encoder[2]", "pooler"}


@pytest.mark.soak
def test_every_step_runs_in_a_process_of_its_own(
    package: Package, metadata_service: tuple[str, Path], tmp_path: Path
) -> None:
    """No step needs what tests have imported. Nothing is taken from the cache when this test runs alone."""
    address, file = metadata_service
    job = load_job(package.path)
    _first_run(package, address, tmp_path, in_processes=set(job.tasks))
    store = MetadataStore(sqlite_metadata_connection_config(str(file)))
    newest = max(store.get_contexts_by_type("pipeline_run"), key=lambda run: run.id)
    nodes = _nodes(store, newest.name)
    assert {name: node.state for name, node in nodes.items()} == dict.fromkeys(NODES, "COMPLETE")
    (pushed,) = nodes["Pusher"].outputs["pushed_model"]
    assert Path(pushed.custom_properties["pushed_destination"].string_value, "saved_model.pb").is_file()
