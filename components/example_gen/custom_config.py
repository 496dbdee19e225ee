"""How a `RowFormat` travels through TFX: in the `custom_config` execution property of FileBasedExampleGen."""

from google.protobuf import json_format, struct_pb2
from tfx.proto import example_gen_pb2
from tfx.utils import proto_utils

from components.example_gen.row_format import RowFormat
from trainer_module.errors import UserError

_KEY = "rows"


def pack_rows(rows: RowFormat) -> example_gen_pb2.CustomConfig:
    """The `custom_config` that holds `{"rows": …}`."""
    content = struct_pb2.Struct()
    content.update({_KEY: rows.model_dump(mode="json", exclude_defaults=True)})
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(content)
    return config


def unpack_rows(custom_config: str | None) -> RowFormat:
    """Reads the JSON that TFX makes of `pack_rows`.

    Raises:
        UserError: There are no rows in it, or they have problems.
    """
    config = proto_utils.json_to_proto(custom_config or "{}", example_gen_pb2.CustomConfig())
    content = struct_pb2.Struct()
    config.custom_config.Unpack(content)
    given = json_format.MessageToDict(content)
    if _KEY not in given:
        raise UserError(f'custom_config: has no "{_KEY}" key; make ExampleGen with make_example_gen()')
    return RowFormat.from_dict(given[_KEY])
