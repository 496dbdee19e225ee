"""`permafrost cache` and its verbs."""

from typing import Annotated

import typer

from pipeline.cli.options import AsJson

cache = typer.Typer(
    help="The prefix cache that train.prefix_cache_dir names: list it, and remove what wasn't used for long.",
    no_args_is_help=True,
)

CacheFolder = Annotated[str, typer.Argument(metavar="DIR", help="The folder that train.prefix_cache_dir names.")]


@cache.command("ls")
def cache_ls(directory: CacheFolder, as_json: AsJson = False) -> None:
    """List the frozen prefixes whose activations are stored, with rows, size and last use.

    Example: permafrost cache ls .cache/prefix
    """
    from pipeline.cli.cache import ls_command

    ls_command(directory, as_json)


@cache.command("prune")
def cache_prune(
    directory: CacheFolder,
    older_than: Annotated[str | None, typer.Option(help="Remove what no run used for so long: 12h, 30d, 2w.")] = None,
    max_size: Annotated[str | None, typer.Option(help="Remove until no more than this remains: 500MB, 10GB.")] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="Only of this prefix (a digest's beginning); alone: all of it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
) -> None:
    """Remove stored activations, the least recently used first. Runs that use them meanwhile go on.

    Example: permafrost cache prune .cache/prefix --older-than 30d --max-size 10GB
    """
    from pipeline.cli.cache import prune_command

    prune_command(directory, older_than, max_size, prefix, dry_run)
