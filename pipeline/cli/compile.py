"""`permafrost compile`: a config as a job for Vertex AI Pipelines, or a package for Kubeflow Pipelines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config


def compile_command(
    config_file: Path, output: Path | None, target: Literal["vertex", "kfp"], overrides: Sequence[str]
) -> None:
    """Compiles a config file's pipeline, writes it, and prints what is in it.

    Raises:
        UserError: The config is wrong, or can't work where the pipeline is to run.
    """
    config = load_config(config_file, overrides)
    terminal = Terminal.open()
    terminal.hide_noise()
    # Imported once the config is known to be well, because it takes seconds.
    if target == "vertex":
        from pipeline.runners.vertex import compile_job, write_job

        output = output or Path("pipeline.json")
        job = compile_job(config)
        write_job(job, output)
        spec = job["pipelineSpec"]
    else:
        from pipeline.runners.kfp.package import compile_package

        output = output or Path("pipeline.yaml")
        spec = compile_package(config, output)
    print_spec(terminal.out, spec)
    terminal.out.print(f"written to {output}", markup=False, soft_wrap=True)


def print_spec(console: Console, spec: Mapping[str, Any]) -> None:
    """The steps with what they may use, the runtime parameters with their defaults, the image."""
    steps = Table("step", "may use", title=escape(spec["pipelineInfo"]["name"]), title_justify="left")
    images = set()
    for name, task in sorted(spec["root"]["dag"]["tasks"].items()):
        label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
        container = spec["deploymentSpec"]["executors"][label].get("container")
        if container is None:
            steps.add_row(name, "no container: the service looks it up")
        else:
            steps.add_row(name, _limits(container.get("resources", {})))
            images.add(container["image"])
    console.print(steps)
    parameters = Table("parameter", "default")
    for name, definition in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        default = definition["defaultValue"]
        # KFP's compiler writes every number as a double.
        parameters.add_row(name, f"{default:g}" if isinstance(default, float) else escape(str(default)))
    console.print(parameters)
    for image in sorted(images):
        console.print(f"image: {image}", markup=False, soft_wrap=True)


def _limits(resources: Mapping[str, Any]) -> str:
    limits = []
    if "cpuLimit" in resources:
        limits.append(f"{resources['cpuLimit']:g} CPUs")
    if "memoryLimit" in resources:
        limits.append(f"{resources['memoryLimit']:g} GB")
    if accelerator := resources.get("accelerator"):
        # From kfp 2.10 on its compiler writes the second form.
        count = accelerator.get("count") or accelerator["resourceCount"]
        limits.append(f"{count} {accelerator.get('type') or accelerator['resourceType']}")
    return ", ".join(limits) or "what the service gives"
