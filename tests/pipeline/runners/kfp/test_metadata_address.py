from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.runners.kfp.metadata_address import connection_config
from trainer_module.errors import UserError


def test_a_service() -> None:
    config = connection_config("metadata-grpc-service.kubeflow:8080")
    assert isinstance(config, mlmd.MetadataStoreClientConfig)
    assert (config.host, config.port) == ("metadata-grpc-service.kubeflow", 8080)
    # More than gRPC's 4 MiB: all executions of a pipeline come in one answer.
    assert config.channel_arguments.max_receive_message_length == 100 * 1024 * 1024


def test_a_file(tmp_path: Path) -> None:
    config = connection_config(f"sqlite:{tmp_path}/new/metadata.sqlite")
    assert isinstance(config, mlmd.ConnectionConfig)
    assert config.sqlite.filename_uri == f"{tmp_path}/new/metadata.sqlite"
    assert (tmp_path / "new").is_dir()


@pytest.mark.parametrize(
    "address",
    ["", "host", "host:", ":8080", "host:port", "http://host:8080", "sqlite:", "sqlite:run/m.sqlite", "h:123456"],
)
def test_neither(address: str) -> None:
    with pytest.raises(UserError) as raised:
        connection_config(address)
    assert str(raised.value) == (
        f"metadata: {address!r} is no address of ML Metadata; "
        "write HOST:PORT of its gRPC service, or sqlite:/PATH for a run on one machine"
    )
