"""`permafrost run`: the pipeline, with a line per component."""

import gc
import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pipeline.cli.live_view import LiveView
from pipeline.cli.terminal import Terminal
from pipeline.config_file import load_config
from pipeline.folders import output_folders, require_folders
from trainer_module.errors import UserError


def run_command(
    config_file: Path,
    overrides: Sequence[str],
    runner: Literal["beam", "local"],
    log_file: Path | None,
    as_json: bool,
) -> bool:
    """Runs the pipeline of a config file and prints how it went.

    Args:
        log_file: Default: named by the time, in pipeline.root.
        as_json: One line of JSON on stdout; all else goes to stderr.

    Returns:
        Whether the model was blessed and pushed.

    Raises:
        UserError: The config, the data, the model or a rule is wrong.
    """
    config = load_config(config_file, overrides)
    # The log is in one of these folders.
    require_folders(output_folders(config))
    log_file = log_file or Path(config.pipeline.root, "logs", f"{datetime.now():%Y%m%d-%H%M%S}.log")
    terminal = Terminal.open()
    try:
        terminal.hide_noise(log_file)
    except OSError as error:
        raise UserError(f"--log-file: {log_file} can't be written: {error.strerror}; name another file") from error
    console = terminal.err if as_json else terminal.out
    with LiveView(console) as view:
        # Imported under the view, because it takes seconds. Nothing of it ever becomes garbage, but Python would look
        # for some in all of it time and again, for a sixth of the whole run.
        gc.disable()
        from absl import logging as absl_logging

        from pipeline.runners.local import run_pipeline

        gc.freeze()
        gc.enable()
        absl_logging.set_verbosity(absl_logging.INFO)
        logging.getLogger("permafrost").setLevel(logging.INFO)
        result = run_pipeline(config, view, runner=runner, log_file=str(log_file))
    from pipeline.cli.result_view import print_result

    print_result(console, result, config)
    if as_json:
        terminal.print_json(result.to_json())
    return result.blessed and result.pushed_model is not None
