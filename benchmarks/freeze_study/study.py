"""The study as a whole: which runs are missing, and where those that were made are kept."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path

from benchmarks.freeze_study.design import DATA_SETS, LEVELS, SEEDS, DataSet, Level
from benchmarks.freeze_study.one_run import StudyRun, run_once
from benchmarks.freeze_study.token_rows import TokenRows, read_token_rows
from pipeline.config_file import load_config
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
RESULTS = Path(__file__).with_name("results.json")


def stored_runs() -> list[StudyRun]:
    """The runs made so far."""
    if not RESULTS.exists():
        return []
    return [StudyRun.model_validate(run) for run in json.loads(RESULTS.read_text(encoding="utf-8"))]


def make_missing_runs(runs: Sequence[StudyRun], run: Callable[[DataSet, Level, int], StudyRun]) -> Iterator[StudyRun]:
    """Makes each run that is missing, keeps it at once beside the others, and gives it.

    Missing is also the first seed's run of a kind of which no run had the machine to itself: its seconds count.

    Args:
        runs: That were made before.
        run: Makes one; see `make_run`.
    """
    kept = list(runs)
    for seed, data_set, level in product(SEEDS, DATA_SETS, LEVELS):
        of_kind = [each for each in kept if (each.data_set, each.level) == (data_set.title, level.name)]
        same = [each for each in of_kind if each.seed == seed]
        timed = any(each.undisturbed for each in of_kind)
        if same and (timed or seed != SEEDS[0]):
            continue
        made = run(data_set, level, seed)
        kept = [other for other in kept if other not in same] + [made]
        RESULTS.write_text(json.dumps([each.model_dump() for each in kept], indent=1) + "\n", encoding="utf-8")
        yield made


def make_run(data_set: DataSet, level: Level, seed: int) -> StudyRun:
    """One run of the study."""
    settings, hub_model, rows = _load(data_set)
    return run_once(data_set, level, seed, settings, hub_model, rows)


@cache
def _load(data_set: DataSet) -> tuple[BertSettings, HubModel, TokenRows]:
    config = load_config(CONFIGS / data_set.config, [])
    hub_model = HubModel.from_settings(config.model)
    return config.bert_settings(), hub_model, read_token_rows(config, hub_model, data_set.train_rows)
