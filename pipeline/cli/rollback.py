"""`permafrost rollback`: an earlier model live again."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config


def rollback_command(config_file: Path, overrides: Sequence[str], to_version: str | None, as_json: bool) -> None:
    """Rolls back, and says which model is live now.

    Raises:
        UserError: See `rollback.roll_back`.
    """
    config = load_config(config_file, overrides)
    terminal = Terminal.open()
    terminal.hide_noise()
    from pipeline.rollback import roll_back

    done = roll_back(config, to_version)
    if as_json:
        terminal.print_json(done.to_json())
        return
    terminal.out.print(
        f"the model of version {done.to_version} is live again, as version {done.version}: {done.pushed_model}\n"
        f"new models are compared with it; that of version {done.from_version} is never pushed again",
        soft_wrap=True,
        markup=False,
    )
