"""How ExampleGen's driver learns which span to read: from a plain number, instead of TFX's RangeConfig."""

from typing import Any

from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.utils import SPAN_PROPERTY_NAME
from tfx.orchestration import data_types
from tfx.proto import range_config_pb2
from tfx.types.standard_component_specs import RANGE_CONFIG_KEY
from tfx.utils import proto_utils

from components.example_gen.spans import LATEST
from trainer_module.errors import UserError

# The name under which TFX's driver puts out the span that it chose, so that this takes the place of the wish.
SPAN_KEY = SPAN_PROPERTY_NAME


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
            UserError: There is no such span.
        """
        span = exec_properties.get(SPAN_KEY)
        if span is None:
            return dict(super().resolve_exec_properties(exec_properties, pipeline_info, component_info))
        wanted = exec_properties | {RANGE_CONFIG_KEY: range_config(span)}
        try:
            return dict(super().resolve_exec_properties(wanted, pipeline_info, component_info))
        except ValueError as error:
            raise no_such_span(span, error) from None


def range_config(span: int) -> str:
    """TFX's RangeConfig, as JSON, for one span; for `LATEST` the latest.

    Raises:
        UserError: It is negative otherwise.
    """
    if span < LATEST:
        raise UserError(f"data.span: must be the number of a span, or {LATEST} for the latest; given {span}")
    if span == LATEST:
        config = range_config_pb2.RangeConfig(rolling_range=range_config_pb2.RollingRange(num_spans=1))
    else:
        only = range_config_pb2.StaticRange(start_span_number=span, end_span_number=span)
        config = range_config_pb2.RangeConfig(static_range=only)
    return str(proto_utils.proto_to_json(config))


def no_such_span(span: int, error: ValueError) -> UserError:
    """What TFX's driver says when it finds no files, in terms of the config."""
    which = "any span" if span == LATEST else f"span {span}"
    return UserError(f"data.train, data.eval: there are no files of {which}: {error}")
