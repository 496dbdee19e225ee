"""How a step reaches ML Metadata."""

import os
import re

from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration.metadata import ConnectionConfigType, sqlite_metadata_connection_config

from trainer_module.errors import UserError

# gRPC's own limit is 4 MiB, which the list of a pipeline's executions exceeds after some hundred runs.
_LARGEST_ANSWER = 100 * 1024 * 1024
_SQLITE = "sqlite:"


def connection_config(address: str) -> ConnectionConfigType:
    """What TFX takes for a connection.

    Args:
        address: `HOST:PORT` of ML Metadata's gRPC service, as KFP deploys it, or `sqlite:/PATH`.

    Raises:
        UserError: It is neither.

    Example:
        >>> connection_config("metadata-grpc-service.kubeflow:8080").port
        8080
    """
    path = address.removeprefix(_SQLITE)
    if path != address and os.path.isabs(path):
        return sqlite_metadata_connection_config(path)
    if match := re.fullmatch(r"([A-Za-z0-9._-]+):(\d{1,5})", address):
        config = mlmd.MetadataStoreClientConfig(host=match[1], port=int(match[2]))
        config.channel_arguments.max_receive_message_length = _LARGEST_ANSWER
        return config
    raise UserError(
        f"metadata: {address!r} is no address of ML Metadata; "
        "write HOST:PORT of its gRPC service, or sqlite:/PATH for a run on one machine"
    )
