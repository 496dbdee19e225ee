"""ExampleGen's driver on Vertex AI, for a pipeline whose paths hold `{SPAN}`:

    python -m components.example_gen.v2_span_driver --json_serialized_invocation_args '{{$}}' …

TFX's own (`tfx.orchestration.kubeflow.v2.file_based_example_gen.driver`) takes a span as the JSON text of a
RangeConfig, which has no way to say "this number, or else the latest". This one takes the parameter `span`, a number,
and then leaves the work to TFX's.
"""

import argparse
import json
import sys

from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver
from tfx.types.standard_component_specs import RANGE_CONFIG_KEY

from components.example_gen.span_driver import SPAN_KEY, no_such_span, range_config


def main(argv: list[str]) -> None:
    """Chooses the span, and writes what was chosen where the service says.

    Args:
        argv: `--json_serialized_invocation_args`, `--json_serialized_inputs_spec_args`; more is left alone, as TFX's
            driver does: the arguments for Beam come along.

    Raises:
        UserError: There is no such span.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args")
    arguments, _ = parser.parse_known_args(argv)
    invocation = json.loads(arguments.json_serialized_invocation_args)
    parameters = invocation["inputs"]["parameterValues"]
    span = int(parameters[SPAN_KEY])
    parameters[RANGE_CONFIG_KEY] = range_config(span)
    arguments.json_serialized_invocation_args = json.dumps(invocation)
    try:
        driver.main(arguments)
    except ValueError as error:
        raise no_such_span(span, error) from None


if __name__ == "__main__":
    main(sys.argv[1:])
