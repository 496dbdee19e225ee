import re

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.local.runner_utils import extract_executor_spec, extract_local_deployment_config
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import standard_artifacts

from pipeline.runners.kfp.node_ir import node_ids, only_node, pack, parameter_types, unpack


@component
def Write(
    out: OutputArtifact[standard_artifacts.Model], text: Parameter[str], steps: Parameter[int], share: Parameter[float]
) -> None:
    pass


def _write(name: str, text: str | RuntimeParameter, steps: int | RuntimeParameter) -> BaseComponent:
    made: BaseComponent = Write(text=text, steps=steps, share=RuntimeParameter("share", float, 0.5))
    return made.with_id(name)


@pytest.fixture(scope="module")
def ir() -> pipeline_pb2.Pipeline:
    first = _write("First", RuntimeParameter("words", str, "a"), RuntimeParameter("steps", int, 0))
    second = _write("Second", "constant", 3)
    second.add_upstream_node(first)
    pipeline: pipeline_pb2.Pipeline = Compiler().compile(
        Pipeline(pipeline_name="two", pipeline_root="/root", components=[second, first])
    )
    return pipeline


def test_nodes_come_after_those_they_need(ir: pipeline_pb2.Pipeline) -> None:
    assert node_ids(ir) == ["First", "Second"]


def test_one_node_with_all_that_its_launch_needs(ir: pipeline_pb2.Pipeline) -> None:
    second = only_node(ir, "Second")
    assert node_ids(second) == ["Second"]
    assert second.nodes[0] == ir.nodes[1]
    assert (second.pipeline_info, second.runtime_spec) == (ir.pipeline_info, ir.runtime_spec)
    of_all, of_second = extract_local_deployment_config(ir), extract_local_deployment_config(second)
    assert list(of_second.executor_specs) == ["Second"]
    assert extract_executor_spec(of_second, "Second") == extract_executor_spec(of_all, "Second")


def test_the_parameters_that_a_node_reads(ir: pipeline_pb2.Pipeline) -> None:
    # A default of 0 isn't one to TFX; the types are all that is read here.
    assert parameter_types(ir) == {"share": float, "steps": int, "words": str}
    assert parameter_types(only_node(ir, "Second")) == {"share": float}


def test_packed_and_unpacked(ir: pipeline_pb2.Pipeline) -> None:
    text = pack(ir)
    assert unpack(text) == ir
    assert re.fullmatch("[A-Za-z0-9+/]+=*", text), "nothing that Argo or Kubernetes would expand"
    assert pack(unpack(text)) == text
