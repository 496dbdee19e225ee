"""What one step needs of a pipeline in TFX's intermediate representation (IR), as text for a command line."""

import base64
import zlib
from collections.abc import Mapping

from tfx.dsl.compiler import constants
from tfx.orchestration.portable.runtime_parameter_utils import substitute_runtime_parameter
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Property

_OF_THE_RUN = (constants.PIPELINE_ROOT_PARAMETER_NAME, constants.PIPELINE_RUN_ID_PARAMETER_NAME)


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


def parameter_defaults(ir: pipeline_pb2.Pipeline) -> Mapping[str, Property]:
    """The pipeline's runtime parameters that are used in `ir`, with their defaults.

    Raises:
        ValueError: One has no default.
    """
    scratch = pipeline_pb2.Pipeline()
    scratch.CopyFrom(ir)
    found = substitute_runtime_parameter(scratch, {})
    defaults = {name: value for name, value in sorted(found.items()) if name not in _OF_THE_RUN}
    if missing := [name for name, value in defaults.items() if value is None]:
        raise ValueError(f"runtime parameters without a default: {', '.join(missing)}")
    return defaults


def pack(ir: pipeline_pb2.Pipeline) -> str:
    """Text without any character that a shell, Argo or Kubernetes would read as something else.

    Binary rather than JSON, so that a TFX which knows more or fewer fields still reads it.
    """
    return base64.b64encode(zlib.compress(ir.SerializeToString(deterministic=True), 9)).decode("ascii")


def unpack(text: str) -> pipeline_pb2.Pipeline:
    """What `pack` was given."""
    return pipeline_pb2.Pipeline.FromString(zlib.decompress(base64.b64decode(text)))
