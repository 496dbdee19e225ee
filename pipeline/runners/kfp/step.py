"""One step of a run on Kubeflow Pipelines: a node of the pipeline, launched by TFX.

TFX's launcher finds the inputs in ML Metadata, takes a cached result or runs driver and executor, and publishes; so a
run in a cluster is what a local one is, node by node.

Example: python -m pipeline.runners.kfp.step --node Trainer --pipeline … --run-id … --pipeline-root … --metadata …
"""

import argparse
import logging
import sys
import traceback
from collections.abc import Mapping, Sequence

from absl import logging as absl_logging
from ml_metadata import errors as mlmd_errors
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher
from tfx.orchestration.portable.mlmd.execution_lib import is_execution_successful
from tfx.orchestration.portable.runtime_parameter_utils import substitute_runtime_parameter
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import Property
from tfx.utils import telemetry_utils

from pipeline.runners.in_process_beam import in_process_beam
from pipeline.runners.kfp.metadata_address import connection_config
from pipeline.runners.kfp.node_ir import node_ids, parameter_types, unpack
from trainer_module.errors import UserError

USER_ERROR = 2
FAILED = 1


class StepFailed(RuntimeError):
    """The node neither ran nor was taken from the cache, although TFX raised nothing."""


def run_node(
    ir: pipeline_pb2.Pipeline,
    *,
    run_id: str,
    pipeline_root: str,
    connection: metadata.ConnectionConfigType,
    parameters: Mapping[str, str],
) -> None:
    """Launches the only node of `ir`.

    Args:
        ir: As `node_ir.only_node` makes it.
        run_id: The same for all steps of a run, another for every run.
        pipeline_root: Where artifacts go; any place that TFX can open.
        connection: To ML Metadata; the same for all runs, or no run finds the model of another.
        parameters: Runtime parameters, as text.

    Raises:
        UserError: What the node found wrong, or a parameter's value that isn't of its type.
        StepFailed: It found no inputs.
    """
    bindings = {
        constants.PIPELINE_ROOT_PARAMETER_NAME: pipeline_root,
        constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id,
        **_typed(parameters, parameter_types(ir)),
    }
    substitute_runtime_parameter(ir, bindings)
    (node_id,) = node_ids(ir)
    deployment_config = runner_utils.extract_local_deployment_config(ir)
    with in_process_beam(), telemetry_utils.scoped_labels({telemetry_utils.LABEL_TFX_RUNNER: "kfp"}):
        info = launcher.Launcher(
            pipeline_node=ir.nodes[0].pipeline_node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=ir.pipeline_info,
            pipeline_runtime_spec=ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(deployment_config, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment_config, node_id),
        ).launch()
    # An executor's failure comes as an exception; that there are no inputs, TFX only notes down.
    if not info or info.execution_id is None or not _succeeded(connection, info.execution_id):
        raise StepFailed(f"{node_id}: what it needs of this run ({run_id}) is not in ML Metadata; see the log above")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a step; what it has to say goes to stderr, its end last.

    Returns:
        The exit code: 0; 2: a user's mistake, whose message ends the log; 1: anything else.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    absl_logging.set_verbosity(absl_logging.INFO)
    try:
        run_node(
            unpack(arguments.pipeline),
            run_id=arguments.run_id,
            pipeline_root=arguments.pipeline_root,
            connection=connection_config(arguments.metadata),
            parameters=dict(arguments.parameter),
        )
    except UserError as error:
        # Python's last line of a traceback, without the way through TFX that led there.
        print(f"{UserError.__module__}.{UserError.__qualname__}: {error}", file=sys.stderr, flush=True)
        return USER_ERROR
    except mlmd_errors.UnavailableError as error:
        print(f"ML Metadata at {arguments.metadata} can't be reached: {error}", file=sys.stderr, flush=True)
        return FAILED
    except Exception:
        traceback.print_exc()
        return FAILED
    return 0


def _succeeded(connection: metadata.ConnectionConfigType, execution_id: int) -> bool:
    with metadata.Metadata(connection) as opened:
        (execution,) = opened.store.get_executions_by_id([execution_id])
    return bool(is_execution_successful(execution))


def _typed(parameters: Mapping[str, str], types: Mapping[str, type]) -> dict[str, Property]:
    """Each value as the type that the pipeline has for it; TFX refuses any other."""
    problems = [f"{name}: is not a parameter of this step" for name in parameters if name not in types]
    typed: dict[str, Property] = {}
    for name in sorted(parameters.keys() & types.keys()):
        try:
            typed[name] = types[name](parameters[name])
        except ValueError:
            problems.append(f"{name}: should be of type {types[name].__name__}; given {parameters[name]!r}")
    problems += [f"{name}: is missing" for name in types if name not in parameters]
    if problems:
        raise UserError(problems)
    return typed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.runners.kfp.step", description=__doc__.partition("\n")[0])
    parser.add_argument("--node", required=True, help="The node's id; for those who read the command.")
    parser.add_argument("--pipeline", required=True, help="The node's part of the pipeline, packed.")
    parser.add_argument("--run-id", required=True, help="KFP's id of the run.")
    parser.add_argument("--pipeline-root", required=True, help="Where artifacts go.")
    parser.add_argument("--metadata", required=True, help="HOST:PORT of ML Metadata's gRPC service, or sqlite:/PATH.")
    parser.add_argument(
        "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="A runtime parameter."
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
