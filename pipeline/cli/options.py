"""Arguments that several verbs have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="A pipeline's TOML file; see configs/.")]
Overrides = Annotated[
    list[str],
    typer.Option("--set", help="SECTION.KEY=VALUE in place of what the file says; the value is TOML. Repeatable."),
]
Target = Annotated[
    Literal["vertex", "kfp"] | None,
    typer.Option(help="Vertex AI or Kubeflow Pipelines; default: the one that the config has a section for."),
]
CompiledJob = Annotated[
    Path | None, typer.Option("--job", help="A file that `permafrost compile` wrote, instead of compiling the config.")
]
Parameters = Annotated[
    list[str], typer.Option("--param", help="NAME=VALUE for a runtime parameter of the pipeline. Repeatable.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the request as JSON, and send nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]
