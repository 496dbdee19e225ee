"""A small config for Kubeflow Pipelines, its compiled package, and a stand-in for the cluster's ML Metadata."""

from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as library
from ml_metadata.proto import metadata_store_pb2 as mlmd
from ml_metadata.proto import metadata_store_service_pb2 as service
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.config import PipelineConfig
from pipeline.config_file import load_config
from pipeline.runners.kfp.package import compile_package

ROWS = "text,label\ngood film,pos\nbad film,neg\nfine story,pos\nawful,neg\n"
CONFIG = """
[pipeline]
name = "mine"
root = "run"

[data]
train = "FOLDER/train.csv"
eval = "FOLDER/eval.csv"
text = ["text"]
label = "label"

[model]
hub = "HUB"
max_tokens = 16
freeze = [{ freeze = "embeddings" }]

[train]
epochs = 1

# Four rows can't show that a model is better than guessing.
[evaluate]
must_beat_baseline = false

[evaluate.thresholds.accuracy]
at_least = 0.0

[push]
directory = "FOLDER/serving"

[kfp]
image = "registry.example/permafrost:1"
pipeline_root = "FOLDER/artifacts"
image_paths = ["/opt", "HUB"]

[kfp.volume]
claim = "rows-and-models"
mount = "FOLDER"

[kfp.resources.Trainer]
cpu = 7.5
memory = 30
accelerator = "NVIDIA_TESLA_T4"
accelerator_count = 2
node_selector = { "cloud.google.com/gke-accelerator" = "nvidia-tesla-t4" }
"""


@dataclass
class Package:
    """A compiled config.

    Attributes:
        config: What was compiled.
        path: The YAML file.
        spec: Its first document.
        platforms: Its second.
    """

    config: PipelineConfig
    path: Path
    spec: dict[str, Any]
    platforms: dict[str, Any]

    def container(self, task: str) -> dict[str, Any]:
        container: dict[str, Any] = self.spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]
        return container

    def arguments(self, task: str, values: Mapping[str, str]) -> list[str]:
        """A step's arguments, with these values in the place of the parameters' defaults."""
        definitions = self.spec["root"]["inputDefinitions"]["parameters"]
        # JSON's numbers are doubles; KFP writes a whole one without the point.
        defaults = {name: str(each["defaultValue"]).removesuffix(".0") for name, each in definitions.items()}
        filled = {f"{{{{$.inputs.parameters['{name}']}}}}": value for name, value in (defaults | dict(values)).items()}
        return [filled.get(arg, arg) for arg in self.container(task)["args"]]

    def argument(self, task: str, option: str) -> str:
        args = self.container(task)["args"]
        return str(args[args.index(option) + 1])


@pytest.fixture(scope="module")
def kfp_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for the volume, with four rows for training and evaluation."""
    folder = tmp_path_factory.mktemp("volume").resolve()
    for name in ("train.csv", "eval.csv"):
        (folder / name).write_text(ROWS, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def make_kfp_config(kfp_folder: Path, tiny_hub: Path) -> Callable[..., PipelineConfig]:
    """A config, with overrides as `--set` takes them."""
    file = kfp_folder / "mine.toml"
    file.write_text(CONFIG.replace("FOLDER", str(kfp_folder)).replace("HUB", str(tiny_hub)), encoding="utf-8")
    return lambda *overrides: load_config(file, overrides)


@pytest.fixture(scope="module")
def package(make_kfp_config: Callable[..., PipelineConfig], kfp_folder: Path) -> Package:
    config, path = make_kfp_config(), kfp_folder / "pipeline.yaml"
    spec = compile_package(config, path)
    in_file, platforms = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    assert in_file == spec
    return Package(config, path, spec, platforms)


@pytest.fixture(scope="module")
def metadata_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address and file of an ML Metadata service: the interface that KFP deploys, answered by ML Metadata's library.

    Only the transport is ours: each request's bytes go to the C++ function of the same name, as they came.
    """
    file = tmp_path_factory.mktemp("mlmd") / "metadata.sqlite"
    store = library.CreateMetadataStore(
        sqlite_metadata_connection_config(str(file)).SerializeToString(), mlmd.MigrationOptions().SerializeToString()
    )
    codes = {code.value[0]: code for code in grpc.StatusCode}

    def method(name: str) -> grpc.RpcMethodHandler:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            response, message, code = getattr(library, name)(store, request)
            if code:
                context.abort(codes[code], message.decode("utf-8"))
            return bytes(response)

        return grpc.unary_unary_rpc_method_handler(answer)

    interface = service.DESCRIPTOR.services_by_name["MetadataStoreService"]
    names = [each.name for each in interface.methods if hasattr(library, each.name)]
    # One at a time: the library's store isn't made for several threads.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(interface.full_name, {name: method(name) for name in names})]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", file
    server.stop(grace=None).wait()
