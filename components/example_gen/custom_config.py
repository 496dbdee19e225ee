"""How a `RowFormat` and a `Window` travel through TFX: in the execution property `custom_config` of its ExampleGen."""

from typing import Any

from google.protobuf import json_format, struct_pb2
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from components.example_gen.row_format import RowFormat
from components.example_gen.span_window import Window
from trainer_module.errors import UserError

_ROWS = "rows"
_WINDOW = "window"


def pack(rows: RowFormat, window: Window | None = None) -> example_gen_pb2.CustomConfig:
    """The `custom_config` that holds `{"rows": …, "window": …}`; a window of one span isn't worth a word."""
    content = struct_pb2.Struct()
    content.update({_ROWS: rows.model_dump(mode="json", exclude_defaults=True)})
    if window and window != Window():
        content.update({_WINDOW: window.model_dump(mode="json", exclude_defaults=True)})
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(content)
    return config


def unpack_rows(custom_config: str | None) -> RowFormat:
    """Reads the JSON that TFX makes of `pack`.

    Raises:
        UserError: There are no rows in it, or they have problems.
    """
    given = _content(custom_config)
    if _ROWS not in given:
        raise UserError(f'custom_config: has no "{_ROWS}" key; make ExampleGen with make_example_gen()')
    return RowFormat.from_dict(given[_ROWS])


def unpack_window(custom_config: str | None) -> Window:
    """Reads the same."""
    return Window.model_validate(_content(custom_config).get(_WINDOW, {}))


def _content(custom_config: str | None) -> dict[str, Any]:
    config = proto_utils.json_to_proto(custom_config or "{}", example_gen_pb2.CustomConfig())
    content = struct_pb2.Struct()
    config.custom_config.Unpack(content)
    given: dict[str, Any] = json_format.MessageToDict(content)
    return given
