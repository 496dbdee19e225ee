"""`permafrost compile`: a config as a job for Vertex AI Pipelines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config


def compile_command(config_file: Path, output: Path, overrides: Sequence[str]) -> None:
    """Compiles a config file's pipeline, writes it, and prints what is in it.

    Raises:
        UserError: The config is wrong, or can't work where the job is to run.
    """
    config = load_config(config_file, overrides)
    terminal = Terminal.open()
    terminal.hide_noise()
    # Imported once the config is known to be well, because it takes seconds.
    from pipeline.runners.vertex import compile_job, write_job

    job = compile_job(config)
    write_job(job, output)
    print_job(terminal.out, job)
    terminal.out.print(f"written to {output}", markup=False, soft_wrap=True)


def print_job(console: Console, job: Mapping[str, Any]) -> None:
    """The steps with what they may use, the runtime parameters with their defaults, the image."""
    spec = job["pipelineSpec"]
    executors = spec["deploymentSpec"]["executors"]
    containers = {label.removesuffix("_executor"): executor.get("container") for label, executor in executors.items()}
    steps = Table("step", "may use", title=escape(spec["pipelineInfo"]["name"]), title_justify="left")
    for step, container in sorted(containers.items()):
        steps.add_row(step, "no container: the service looks it up" if container is None else _limits(container))
    console.print(steps)
    parameters = Table("parameter", "default")
    for name, definition in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        parameters.add_row(name, escape(str(definition["defaultValue"])))
    console.print(parameters)
    for image in sorted({container["image"] for container in containers.values() if container}):
        console.print(f"image: {image}", markup=False, soft_wrap=True)
    console.print(f"root: {job['runtimeConfig']['gcsOutputDirectory']}", markup=False, soft_wrap=True)


def _limits(container: Mapping[str, Any]) -> str:
    resources = container.get("resources", {})
    limits = []
    if "cpuLimit" in resources:
        limits.append(f"{resources['cpuLimit']:g} CPUs")
    if "memoryLimit" in resources:
        limits.append(f"{resources['memoryLimit']:g} GB")
    if "accelerator" in resources:
        limits.append(f"{resources['accelerator']['count']} {resources['accelerator']['type']}")
    return ", ".join(limits) or "what the service gives"
