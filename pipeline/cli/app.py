"""The command's entry point: verbs, exit codes, and what the user sees of an error."""

import importlib.metadata
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

from pipeline.cli.cache_verbs import cache
from pipeline.cli.options import AsJson, CompiledJob, ConfigFile, DryRun, Overrides, Parameters, Target
from pipeline.cli.schedule_verbs import schedule
from pipeline.cli.terminal import Terminal
from pipeline.service.service_errors import RunFailed, ServiceFailed
from trainer_module.errors import PassingFailure, UserError

# TensorFlow and TFX are imported inside the verbs: `permafrost --help` has no use for them.
app = typer.Typer(
    name="permafrost",
    help="Fine-tune a TF-Hub BERT with chosen layers frozen, and push it only when an Evaluator blesses it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(cache, name="cache")
app.add_typer(schedule, name="schedule")

REFUSED = 3
USER_ERROR = 2
FAILED = 1


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"permafrost {importlib.metadata.version('permafrost')}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    runner: Annotated[
        Literal["beam", "local"], typer.Option(help="TFX's BeamDagRunner, or its LocalDagRunner.")
    ] = "beam",
    log_file: Annotated[
        Path | None, typer.Option(help="Default: named by the time, in the folder logs of pipeline.root.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the pipeline: train, evaluate, and push the model if it is blessed.

    Exit code 0: blessed and pushed. 3: finished, but not blessed or not as frozen as planned, so nothing was pushed.
    2: a mistake in the config, the data, the model or a rule. 1: anything else.

    Example: permafrost run --config configs/quickstart.toml --set train.epochs=2
    """
    from pipeline.cli.run import run_command

    raise typer.Exit(0 if run_command(config, overrides, runner, log_file, as_json) else REFUSED)


@app.command()
def retrain(
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    every: Annotated[
        str | None,
        typer.Option(
            metavar="CRON",
            help="MINUTE HOUR DAY MONTH WEEKDAY: by the clock, until SIGTERM or Ctrl-C; in the zone of "
            "retrain.timezone or this machine's, unless TZ=Europe/Berlin stands before.",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One run, now: the default.")] = False,
) -> None:
    """Run the pipeline unattended: now or by the clock, one run at a time, each in a process of its own.

    A run that fails is tried again (retrain.attempts), but not one with a mistake or one that a gate stopped. How it
    went is told to retrain.hook and retrain.webhook. See docs/retraining.md.

    Exit code 0: blessed and pushed. 3: not blessed. 2: a mistake, or a gate stopped the run. 1: it failed, or a signal
    ended it. With --every: 0 once a signal ended it, 2 for a mistake in the config or in CRON.

    Example: permafrost retrain --config configs/nightly.toml --every "0 3 * * *"
    """
    from pipeline.cli.retrain import retrain_command

    if once and every is not None:
        raise UserError("retrain: give either --every CRON or --once")
    raise typer.Exit(retrain_command(config, overrides, every))


@app.command()
def plan(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="A pipeline's TOML file.")] = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    hub: Annotated[
        str | None, typer.Option(help="A TF-Hub handle or a SavedModel's folder, instead of --config.")
    ] = None,
    freeze: Annotated[list[str], typer.Option(help="With --hub: a selector to freeze. Repeatable.")] = [],  # noqa: B006
    train: Annotated[
        list[str], typer.Option(help="With --hub: a selector to train. Rules hold in the order given.")
    ] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Show what the freeze rules do to a model, before anything runs. Reads no data.

    Example: permafrost plan --hub MODEL --freeze all --train bias
    """
    from pipeline.cli.plan import plan_command

    if (config is None) == (hub is None):
        raise UserError("plan: give either --config FILE or --hub MODEL")
    if config is not None and (freeze or train):
        raise UserError("plan: --freeze and --train go with --hub; with --config, write --set 'model.freeze=[...]'")
    if hub is not None and overrides:
        raise UserError("plan: --set goes with --config; with --hub, write --freeze and --train")
    plan_command(config, overrides, hub, _rules_in_order(sys.argv[1:]), as_json)


@app.command("compile")
def compile_(
    config: ConfigFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: pipeline.json, or for kfp pipeline.yaml.")
    ] = None,
    target: Annotated[
        Literal["vertex", "kfp"], typer.Option(help="Vertex AI Pipelines, or Kubeflow Pipelines (open source).")
    ] = "vertex",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
) -> None:
    """Compile the pipeline for Vertex AI Pipelines or Kubeflow Pipelines. Needs no cloud and sends nothing.

    Example: permafrost compile --config configs/vertex.toml --output pipeline.json
    """
    from pipeline.cli.compile import compile_command

    compile_command(config, output, target, overrides)


@app.command()
def audit(
    model: Annotated[
        str, typer.Argument(metavar="MODEL_DIR", help="An exported model, or a serving folder: its highest version.")
    ],
    hub: Annotated[
        str | None, typer.Option(help="The Hub model to compare with. Default: the one in the model's own record.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that what was frozen in an exported model is what the Hub model says, bit by bit. Runs neither.

    Exit code 0: the audit passed. 3: it failed. 2: there is nothing to audit, or no Hub model to compare with.

    Example: permafrost audit serving/sst2
    """
    from pipeline.cli.audit import audit_command

    raise typer.Exit(0 if audit_command(model, hub, as_json) else REFUSED)


@app.command("run-compiled")
def run_compiled(
    job: Annotated[
        Path, typer.Argument(metavar="JOB", help="What `permafrost compile` wrote: JSON, or YAML of kfp's compiler.")
    ],
    parameters: Annotated[
        list[str],
        typer.Option("--param", help="NAME=VALUE of a runtime parameter in place of its default. Repeatable."),
    ] = [],  # noqa: B006 - typer copies it
    root: Annotated[
        Path | None, typer.Option(help="Keeps artifacts, logs and records, in place of the job's pipeline root.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a compiled pipeline on this machine as the service would: each step's own command in a clean process.

    Exit code 0: it came to its end. 3: so it did, but a Pusher pushed nothing. 2: a mistake in the job, in a parameter,
    or one that a step found. 1: a step failed; the end of its log is shown.

    Example: permafrost run-compiled pipeline.json --root runs/compiled --param train_steps=100
    """
    from pipeline.cli.run_compiled import run_compiled_command

    raise typer.Exit(0 if run_compiled_command(job, parameters, root, as_json) else REFUSED)


@app.command()
def submit(
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    target: Target = None,
    job: CompiledJob = None,
    parameters: Parameters = [],  # noqa: B006
    name: Annotated[str | None, typer.Option(help="Of the run; default: the pipeline's name.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until the run has ended; exit code 1 when it failed.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Run the pipeline on Vertex AI or Kubeflow Pipelines.

    Exit code 0: the service took it. 2: a mistake in the config, a parameter, the credentials, or what they may do.
    1: the service failed or can't be reached.

    Example: permafrost submit --config configs/vertex.toml --param train_steps=100
    """
    from pipeline.cli.submit import submit_command

    submit_command(config, overrides, target, job, parameters, name, wait=wait, dry_run=dry_run)


@app.command()
def doctor(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Also check what this pipeline needs.")] = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Check this installation, and with --config what a pipeline needs; say what to do about each problem.

    Exit code 0: no problem, though there may be warnings. 2: a problem.

    Example: permafrost doctor --config configs/quickstart.toml
    """
    from pipeline.cli.doctor import doctor_command

    raise typer.Exit(0 if doctor_command(config, overrides, as_json) else USER_ERROR)


@app.command()
def history(
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what a pipeline did: spans, freeze rules, metrics, what was pushed or why not, and what is live.

    Example: permafrost history --config configs/sst2.toml
    """
    from pipeline.cli.history import history_command

    history_command(config, overrides, limit, as_json)


@app.command()
def rollback(
    config: ConfigFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    to_version: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="Default: the version before the live one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an earlier blessed and pushed model live again, and what new models are compared with.

    It is pushed anew, as TensorFlow Serving serves the highest version. The model that was live is never pushed again.

    Exit code 0: it is live. 2: that version can't be gone back to, or a run goes on.

    Example: permafrost rollback --config configs/sst2.toml --to 1764331200
    """
    from pipeline.cli.rollback import rollback_command

    rollback_command(config, overrides, to_version, as_json)


@app.command("import-hf")
def import_hf(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Holds config.json, vocab.txt, model.safetensors.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The SavedModel's folder; must not exist yet.")],
    lower_case: Annotated[
        bool | None, typer.Option("--lower-case/--cased", help="Default: what the tokenizer's config says.")
    ] = None,
) -> None:
    """Turn a Hugging Face BERT checkpoint into a TF-Hub encoder."""
    from pipeline.cli.import_hf import import_command

    import_command(source, out, lower_case)


def _rules_in_order(arguments: list[str]) -> list[str]:
    """The rules `freeze X`, `train Y`, … as typed: their order counts, and an option parser groups them by name."""
    rules: list[str] = []
    for position, argument in enumerate(arguments):
        for action in ("freeze", "train"):
            if argument == f"--{action}" and position + 1 < len(arguments):
                rules.append(f"{action} {arguments[position + 1]}")
            elif argument.startswith(f"--{action}="):
                rules.append(f"{action} {argument.partition('=')[2]}")
    return rules


def main() -> None:
    """Runs the command; ends the process with its exit code."""
    terminal = Terminal.open()
    try:
        code = app(standalone_mode=False) or 0
    except UserError as error:
        terminal.error(str(error))
        code = FAILED if isinstance(error, PassingFailure) else USER_ERROR
    except (ServiceFailed, RunFailed) as error:
        terminal.error(str(error))
        code = FAILED
    except TyperException as error:  # a wrong option; Typer brings its own copy of click
        if message := error.format_message():  # without any arguments the help was printed instead
            terminal.error(message)
        code = USER_ERROR
    except (typer.Abort, KeyboardInterrupt):
        terminal.error("stopped")
        code = FAILED
    except Exception as error:
        terminal.crash(error)
        code = FAILED
    terminal.close()
    sys.exit(code)
