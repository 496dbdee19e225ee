"""How ExampleGen's driver learns which spans to read: from a number and a window. TFX's RangeConfig names one only."""

from collections.abc import Mapping
from typing import Any

from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.utils import (
    FINGERPRINT_PROPERTY_NAME,
    SPAN_PROPERTY_NAME,
    VERSION_PROPERTY_NAME,
)
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY, INPUT_BASE_KEY, INPUT_CONFIG_KEY
from tfx.utils import proto_utils

from components.example_gen.custom_config import unpack_window
from components.example_gen.span_window import resolve_window

# The name under which TFX's driver puts out the span that it chose, so that this takes the place of the wish.
SPAN_KEY = SPAN_PROPERTY_NAME
WINDOW_KEY = "window"
"""The execution property in which the driver tells the executor which spans there are to read: `SpansRead`, as JSON."""


class SpanDriver(FileBasedDriver):
    """TFX's file-based driver, which also reads the execution property `span`."""

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """See base class.

        Raises:
            UserError: See `resolve_window`.
        """
        if exec_properties.get(SPAN_KEY) is None:
            return dict(super().resolve_exec_properties(exec_properties, pipeline_info, component_info))
        return exec_properties | chosen_spans(exec_properties)


def chosen_spans(exec_properties: Mapping[str, Any]) -> dict[str, Any]:
    """The execution properties that say what to read, those of TFX's own driver among them.

    They are all that TFX's cache goes by, so a file that came late, of whatever span of the window, is read.

    Raises:
        UserError: See `resolve_window`.
    """
    input_config = proto_utils.json_to_proto(exec_properties[INPUT_CONFIG_KEY], example_gen_pb2.Input())
    window = resolve_window(
        exec_properties[INPUT_BASE_KEY],
        input_config.splits,
        exec_properties[SPAN_KEY],
        unpack_window(exec_properties.get(CUSTOM_CONFIG_KEY)),
    )
    for split, patterns in zip(input_config.splits, window.patterns, strict=True):
        # An input of TFX's has one pattern; `CheckedExecutor` takes these apart again.
        split.pattern = "\n".join(patterns)
    return {
        INPUT_CONFIG_KEY: proto_utils.proto_to_json(input_config),
        SPAN_KEY: window.read.last_span,
        VERSION_PROPERTY_NAME: window.read.spans[-1].version,
        FINGERPRINT_PROPERTY_NAME: window.fingerprint,
        WINDOW_KEY: window.read.model_dump_json(),
    }
