"""A compiled pipeline, as `permafrost compile` writes it: a PipelineJob for Vertex, or a package for Kubeflow."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer_module.errors import UserError

Target = Literal["vertex", "kfp"]

_MAKE_ONE = "make one with `permafrost compile`"


@dataclass(frozen=True)
class CompiledPipeline:
    """A compiled pipeline that can be sent.

    Attributes:
        path: The file; the services' client libraries want one.
        name: The pipeline's.
        spec: The pipeline spec as JSON.
        values: Of parameters, that come with it beside the defaults in the spec.
        root: Where its artifacts go; empty: the service's own default.
        labels: Put on a run, to find it and its costs by.
        platform: What a Kubeflow package says of Kubernetes, as JSON; else nothing.
    """

    path: Path
    name: str
    spec: Mapping[str, Any]
    values: Mapping[str, Any]
    root: str
    labels: Mapping[str, str]
    platform: Mapping[str, Any]


def read_compiled(path: Path, target: Target) -> CompiledPipeline:
    """Reads a compiled pipeline and makes sure that it is one, by the schema, and for this service.

    Raises:
        UserError: There is no such file, or it is something else.
    """
    if target == "kfp" and path.suffix not in (".yaml", ".yml"):
        raise UserError(f"{path}: Kubeflow takes a package in a .yaml file: permafrost compile --target kfp")
    documents = _documents(path)
    content = documents[0]
    if target == "vertex":
        if "pipelineSpec" not in content:
            hint = " (it is a package for Kubeflow: --target kfp)" if "deploymentSpec" in content else ""
            raise UserError(f"{path}: is not a PipelineJob: it has no pipelineSpec{hint}; {_MAKE_ONE}")
        spec, runtime = content["pipelineSpec"], content.get("runtimeConfig") or {}
        labels, platform = content.get("labels") or {}, {}
    else:
        if "pipelineSpec" in content:
            raise UserError(f"{path}: is a PipelineJob for Vertex; for Kubeflow: permafrost compile --target kfp")
        spec, runtime = content, {}
        labels, platform = {}, documents[1] if len(documents) > 1 else {}
    _check_schema(path, target, content)
    missing = [key for key in ("pipelineInfo", "root", "deploymentSpec", "schemaVersion") if key not in spec]
    if missing:
        raise UserError(f"{path}: is not a compiled pipeline: it has no {', '.join(missing)}; {_MAKE_ONE}")
    return CompiledPipeline(
        path=path,
        name=spec["pipelineInfo"]["name"],
        spec=spec,
        values=runtime.get("parameterValues") or {},
        # The order in which Google's client library looks.
        root=spec.get("defaultPipelineRoot") or runtime.get("gcsOutputDirectory") or "",
        labels=labels,
        platform=platform,
    )


def _documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a JSON or YAML file; all are tables, and there is one at least."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {_MAKE_ONE}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is neither JSON nor YAML; {_MAKE_ONE}") from None
    try:
        documents = [json.loads(text)] if path.suffix == ".json" else list(yaml.safe_load_all(text))
    except (ValueError, yaml.YAMLError) as error:
        first_line = str(error).splitlines()[0]
        raise UserError(f"{path}: cannot be read: {first_line}; {_MAKE_ONE}") from None
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise UserError(f"{path}: is not a compiled pipeline; {_MAKE_ONE}")
    return documents


def _check_schema(path: Path, target: Target, content: Mapping[str, Any]) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        if target == "vertex":
            # In the job the spec is a free table.
            json_format.ParseDict(content, pipeline_spec_pb2.PipelineJob())
            content = content["pipelineSpec"]
        json_format.ParseDict(content, pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        raise UserError(f"{path}: is not a compiled pipeline: {error}; {_MAKE_ONE}") from None
