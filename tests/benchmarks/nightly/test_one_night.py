"""A night reads the window that ends at its day; only one kind of night keeps a cache."""

from pathlib import Path

import pytest

from benchmarks.nightly.one_night import Level, night_config
from benchmarks.nightly.spans import day
from components.example_gen.spans import span_of


@pytest.mark.parametrize(("night", "newest"), [(1, 6), (8, 13)])
def test_the_window_moves_by_a_day_a_night(tmp_path: Path, night: int, newest: int) -> None:
    config = night_config(tmp_path, Level.all, True, night)
    assert (config.data.window, config.data.span) == (7, span_of(day(newest)))
    assert config.data.train == f"{tmp_path}/days/{{YYYY}}-{{MM}}-{{DD}}.tsv"


def test_nights_of_one_kind_share_a_folder_with_no_other(tmp_path: Path) -> None:
    roots = {night_config(tmp_path, level, kept, 1).pipeline.root for level in Level for kept in (False, True)}
    assert len(roots) == 4


def test_only_nights_that_keep_it_have_a_cache(tmp_path: Path) -> None:
    kept, anew = (night_config(tmp_path, Level.all_but_top, kept, 1) for kept in (True, False))
    assert kept.train.prefix_cache_dir == f"{kept.pipeline.root}/prefixes"
    assert anew.train.prefix_cache_dir is None
    assert kept.model == anew.model
