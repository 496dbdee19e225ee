"""What one step needs of a pipeline in TFX's intermediate representation (IR), as text for a command line."""

import base64
import zlib
from collections.abc import Iterator

from google.protobuf.message import Message
from tfx.dsl.compiler import constants
from tfx.proto.orchestration import pipeline_pb2

_OF_THE_RUN = (constants.PIPELINE_ROOT_PARAMETER_NAME, constants.PIPELINE_RUN_ID_PARAMETER_NAME)
_TYPES = {
    pipeline_pb2.RuntimeParameter.INT: int,
    pipeline_pb2.RuntimeParameter.DOUBLE: float,
    pipeline_pb2.RuntimeParameter.STRING: str,
}


def node_ids(ir: pipeline_pb2.Pipeline) -> list[str]:
    """The nodes, each after those that it needs."""
    return [node.pipeline_node.node_info.id for node in ir.nodes]


def only_node(ir: pipeline_pb2.Pipeline, node_id: str) -> pipeline_pb2.Pipeline:
    """The same pipeline with this one node. TFX's launcher asks for no more: inputs are found by ML Metadata.

    So the steps of a package together hold the pipeline once, and none comes near the 128 KiB that Linux allows for
    one argument of a command.
    """
    (node,) = (node for node in ir.nodes if node.pipeline_node.node_info.id == node_id)
    own = pipeline_pb2.Pipeline(
        pipeline_info=ir.pipeline_info,
        nodes=[node],
        runtime_spec=ir.runtime_spec,
        execution_mode=ir.execution_mode,
    )
    of_all, of_node = pipeline_pb2.IntermediateDeploymentConfig(), pipeline_pb2.IntermediateDeploymentConfig()
    ir.deployment_config.Unpack(of_all)
    for field in ("executor_specs", "custom_driver_specs"):
        if node_id in getattr(of_all, field):
            getattr(of_node, field)[node_id].CopyFrom(getattr(of_all, field)[node_id])
    own.deployment_config.Pack(of_node, deterministic=True)
    return own


def parameter_types(ir: pipeline_pb2.Pipeline) -> dict[str, type]:
    """The runtime parameters that are used in `ir`, by name; without those that every run has."""
    found = {each.name: _TYPES[each.type] for each in _runtime_parameters(ir)}
    return {name: found[name] for name in sorted(found) if name not in _OF_THE_RUN}


def pack(ir: pipeline_pb2.Pipeline) -> str:
    """Text without any character that a shell, Argo or Kubernetes would read as something else.

    Binary rather than JSON, so that a TFX which knows more or fewer fields still reads it.
    """
    return base64.b64encode(zlib.compress(ir.SerializeToString(deterministic=True), 9)).decode("ascii")


def unpack(text: str) -> pipeline_pb2.Pipeline:
    """What `pack` was given."""
    return pipeline_pb2.Pipeline.FromString(zlib.decompress(base64.b64decode(text)))


def _runtime_parameters(part: Message) -> Iterator[pipeline_pb2.RuntimeParameter]:
    if isinstance(part, pipeline_pb2.RuntimeParameter):
        yield part
        return
    for field, value in part.ListFields():
        if field.message_type is None:
            continue
        is_map = field.message_type.GetOptions().map_entry
        for inner in value.values() if is_map else [value] if isinstance(value, Message) else value:
            if isinstance(inner, Message):
                yield from _runtime_parameters(inner)
