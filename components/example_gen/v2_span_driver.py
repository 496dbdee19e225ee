"""ExampleGen's driver on Vertex AI, for a pipeline whose paths hold `{SPAN}` or a date:

    python -m components.example_gen.v2_span_driver --json_serialized_invocation_args '{{$}}' …

In the place of TFX's own (`tfx.orchestration.kubeflow.v2.file_based_example_gen.driver`), which takes a span as the
JSON text of a RangeConfig: that can't say "this number, or else the latest", and knows no windows.
"""

import argparse
import logging
import os
import sys

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from tfx.components.example_gen.driver import update_output_artifact
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as v2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY

from components.example_gen.span_driver import chosen_spans


def main(argv: list[str]) -> None:
    """Chooses the spans, and writes what was chosen where the service says.

    Args:
        argv: `--json_serialized_invocation_args`, `--json_serialized_inputs_spec_args`; more is left alone, as TFX's
            driver does: the arguments for Beam come along.

    Raises:
        UserError: See `resolve_window`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    arguments, _ = parser.parse_known_args(argv)
    told = json_format.Parse(arguments.json_serialized_invocation_args, pb.ExecutorInput(), ignore_unknown_fields=True)
    spec = json_format.Parse(
        arguments.json_serialized_inputs_spec_args, pb.ComponentInputsSpec(), ignore_unknown_fields=True
    )
    properties = v2.parse_execution_properties(told.inputs.parameter_values, told.inputs.parameters, spec)
    chosen = chosen_spans(properties)

    name_from_id: dict[int, str] = {}
    outputs = v2.parse_raw_artifact_dict(told.outputs.artifacts, name_from_id)
    examples = artifact_utils.get_single_instance(outputs[EXAMPLES_KEY])
    update_output_artifact(chosen, examples.mlmd_artifact)
    answer = pb.ExecutorOutput()
    answer.artifacts[EXAMPLES_KEY].artifacts.append(v2.to_runtime_artifact(examples, name_from_id))
    for name, value in chosen.items():
        if value is not None:
            json_format.ParseDict(value, answer.parameter_values[name])
    fileio.makedirs(os.path.dirname(told.outputs.output_file))
    with fileio.open(told.outputs.output_file, "w") as file:
        file.write(json_format.MessageToJson(answer, sort_keys=True))


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    main(sys.argv[1:])
