"""`python -m benchmarks.freeze_study`: runs what is missing of the study, then prints its table.

Example: make freeze-study
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.freeze_study.design import DATA_SETS, LEVELS, SEEDS, DataSet, Level

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results.json")


def main(
    readme: Annotated[bool, typer.Option("--readme", help="Put the table into README.md.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Run everything again.")] = False,
    only_table: Annotated[bool, typer.Option("--only-table", help="Run nothing.")] = False,
) -> None:
    """Trains and measures every amount of freezing on every data set with every seed.

    Each run is kept as soon as it is done, in results.json: a study that was stopped goes on where it was. A run
    whose seconds don't count, because the machine was busy elsewhere, is kept for its accuracy; it is run again
    only when no run of its kind was undisturbed.
    """
    from benchmarks.freeze_study.one_run import StudyRun
    from benchmarks.freeze_study.table import QUIET, render, write_into

    console = Console()
    runs = [] if anew or not RESULTS.exists() else [StudyRun.model_validate(run) for run in _stored()]
    if not only_table:
        for run in _missing(runs, console):
            runs = [other for other in runs if _key(other) != _key(run)] + [run]
            RESULTS.write_text(json.dumps([each.model_dump() for each in runs], indent=1) + "\n", encoding="utf-8")
            disturbed = "" if run.busy_elsewhere <= QUIET else f", machine busy elsewhere: {run.busy_elsewhere:.0%}"
            console.print(
                f"{run.data_set}, {run.level} frozen, seed {run.seed}: accuracy {run.accuracy:.3f}, "
                f"{run.seconds:.0f} s{disturbed}"
            )
    table = render(runs)
    console.print(table, markup=False, soft_wrap=True)
    if readme:
        write_into(ROOT / "README.md", table)


def _missing(done: list, console: Console) -> Iterator:  # type: ignore[type-arg]
    from benchmarks.freeze_study.one_run import run_once
    from benchmarks.freeze_study.table import QUIET
    from benchmarks.freeze_study.token_rows import read_token_rows
    from pipeline.config_file import load_config
    from trainer_module.hub_model import HubModel

    known = {_key(run) for run in done}
    quiet = {(run.data_set, run.level) for run in done if run.busy_elsewhere <= QUIET}

    def wanted(seed: int, data_set: DataSet, level: Level) -> bool:
        kind = (data_set.title, level.name)
        return (*kind, seed) not in known or (seed == SEEDS[0] and kind not in quiet)

    loaded = {}
    for seed, data_set, level in product(SEEDS, DATA_SETS, LEVELS):
        if not wanted(seed, data_set, level):
            continue
        if data_set not in loaded:
            config = load_config(ROOT / "configs" / data_set.config, [])
            hub_model = HubModel.from_settings(config.model)
            console.print(f"reading {data_set.title}")
            loaded[data_set] = (
                config.bert_settings(),
                hub_model,
                read_token_rows(config, hub_model, data_set.train_rows),
            )
        yield run_once(data_set, level, seed, *loaded[data_set])


def _key(run) -> tuple[str, str, int]:  # type: ignore[no-untyped-def]
    return run.data_set, run.level, run.seed


def _stored() -> list[dict[str, object]]:
    stored: list[dict[str, object]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return stored


if __name__ == "__main__":
    typer.run(main)
