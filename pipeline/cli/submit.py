"""`permafrost submit`: one run of a pipeline on Vertex AI or Kubeflow Pipelines."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config
from pipeline.service.compiled_pipeline import CompiledPipeline, Target
from pipeline.service.orders import RunOrder
from pipeline.service.parameters import parse_values, read_parameters
from pipeline.service.targets import choose_target, compiled, open_service


def submit_command(
    config_file: Path,
    overrides: Sequence[str],
    target: Target | None,
    job: Path | None,
    parameters: Sequence[str],
    name: str | None,
    *,
    wait: bool,
    dry_run: bool,
) -> None:
    """Compiles a pipeline, unless `job` is given, sends it, and says where to see it.

    Args:
        parameters: `name=value`, each.
        name: What people see in the list of runs; default: the pipeline's name.
        wait: Until it has ended.
        dry_run: Print the request as JSON and send nothing.

    Raises:
        UserError: The config, the file, a parameter, or something on the service's side that the user can mend.
        ServiceFailed: The service can't be reached, or failed.
        RunFailed: The run that was waited for ended without success.
    """
    config = load_config(config_file, overrides)
    chosen = choose_target(config, target)
    terminal = Terminal.open()
    terminal.hide_noise()
    service = open_service(config, chosen)
    with compiled(config, chosen, job) as pipeline:
        order = run_order(pipeline, parameters, name)
        if dry_run:
            print_request(terminal, service.run_request(order))
            return
        run = service.submit(order)
    terminal.out.print(f"submitted to {service.title}: {run.url}", markup=False, soft_wrap=True)
    if wait:
        try:
            service.wait(run)
        except KeyboardInterrupt:
            terminal.err.print("only the waiting is stopped; the run goes on")
            raise
        terminal.out.print("[bold green]succeeded[/]")


def run_order(pipeline: CompiledPipeline, parameters: Sequence[str], name: str | None) -> RunOrder:
    """What is asked of the service, checked by what the pipeline itself says that it takes.

    Raises:
        UserError: A parameter that it doesn't take, or a value of another type.
    """
    values = parse_values(parameters, read_parameters(pipeline.spec), pipeline.values)
    return RunOrder(pipeline, values, name or pipeline.name)


def print_request(terminal: Terminal, request: dict[str, Any]) -> None:
    """Prints what would be sent."""
    terminal.out.print(json.dumps(request, indent=2, sort_keys=True, ensure_ascii=False), markup=False, soft_wrap=True)
