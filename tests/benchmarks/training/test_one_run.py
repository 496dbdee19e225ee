"""A measurement in words of results.json, and refusals with exit code 2."""

from pathlib import Path

import pytest

from benchmarks.training import one_run
from benchmarks.training.arithmetic import useful_flops
from benchmarks.training.design import LEVELS, Task
from benchmarks.training.measured import Measured
from benchmarks.watch import Spent, Watch, differences
from trainer_module.errors import UserError


def test_each_example_counts_once_an_epoch() -> None:
    measured = Measured(Spent(4.0, 0.02, 812), [2.5, 1.0, 0.5], 0.85, [7] * 64)
    row = one_run.as_row(Task("permafrost", "half", "bfloat16", 3), measured)
    assert row == {
        "system": "permafrost",
        "frozen": "half",
        "dtype": "bfloat16",
        "epochs": 3,
        "examples_per_s": 48.0,
        "test_accuracy": 0.85,
        "peak_rss_mb": 812,
        "seconds": 4.0,
        "epoch_s": [2.5, 1.0, 0.5],
        "busy_elsewhere": 0.02,
        "useful_gflop": round(64 * useful_flops([7], LEVELS["half"], 3) / 1e9, 3),
    }


def test_without_data_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def no_data(train_rows: int) -> None:
        raise UserError(f"data: no {train_rows} rows")

    monkeypatch.setattr(one_run, "read_sst2", no_data)
    assert one_run.main(["--system", "tfx", "--frozen", "all", "--rows", "64"]) == 2
    assert capsys.readouterr().err == "error: data: no 64 rows\n"


@pytest.mark.parametrize("wrong", [["--system", "keras"], ["--frozen", "most"], ["--dtype", "float16"]])
def test_what_is_unknown_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    given = {"--system": "tfx", "--frozen": "all"} | {wrong[0]: wrong[1]}
    with pytest.raises(SystemExit) as ended:
        one_run.main([part for option in given.items() for part in option])
    assert ended.value.code == 2
    assert f"argument {wrong[0]}: invalid choice: '{wrong[1]}'" in capsys.readouterr().err


def test_a_watch_counts_wall_time_and_this_process_memory() -> None:
    watch = Watch()
    spent = watch.stop()
    assert 0 <= spent.seconds < 5 and 0 <= spent.busy_elsewhere <= 1
    status = Path("/proc/self/status").read_text(encoding="ascii")
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert spent.peak_rss_mb >= resident // 1024 - 50


def test_seconds_of_each_epoch() -> None:
    assert differences([]) == []
    assert differences([4.0, 5.5]) == [4.0, 1.5]
