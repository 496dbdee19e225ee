"""`permafrost cache`: listing and pruning a prefix cache."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.app import main
from pipeline.cli.terminal import Terminal
from trainer_module.prefix_cache.inventory import describe
from trainer_module.prefix_cache.segments import SegmentStore

COMMAND = Path(sys.executable).with_name("permafrost")
DAY = 86400.0
BLOCKS = ["embeddings", "encoder[0]", "encoder[1]", "encoder[2]"]
OLD, NEW = "0123456789abcdef" * 4, "f" * 64

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Two prefixes with two segments each, of 100 rows of 10 numbers; last used 40 and 20, and 10 and 0 days ago."""
    folder = tmp_path / "cache"
    for digest, hub, parts, dtype, ages in (
        (OLD, "models/[old]", BLOCKS, "bfloat16", (40, 20)),
        (NEW, "models/new", [*BLOCKS[:2], "pooler"], "float32", (10, 0)),
    ):
        describe(str(folder / digest), {"hub": hub, "parts": parts, "dtype": dtype, "max_tokens": 64})
        kind = np.dtype(np.uint16 if dtype == "bfloat16" else np.float32)
        with SegmentStore(str(folder / digest), 10, kind) as store:
            for number, age in enumerate(ages):
                before = set((folder / digest).iterdir())
                keys = np.random.default_rng(number).integers(0, 256, (100, 16), np.uint8)
                store.add(keys, np.ones(100, np.int64), np.ones((100, 10), kind))
                store.flush()
                (made,) = set((folder / digest).iterdir()) - before
                used = time.time() - age * DAY
                os.utime(made, (used, used))
    return folder


# A header of 48 bytes and an index of 20 a row make 2048; then come the values.
OLD_BYTES, NEW_BYTES = 2048 + 100 * 10 * 2, 2048 + 100 * 10 * 4


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command in this process: exit code, stdout, stderr."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(Terminal, "_current", None)
        monkeypatch.setattr(sys, "argv", ["permafrost", "cache", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        output, messages = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, output, messages

    return run


def error(call: Call, *arguments: str) -> str:
    code, output, message = call(*arguments)
    assert (code, output) == (2, "")
    assert message.startswith("error: ")
    return message.removeprefix("error: ").removesuffix("\n")


def segments(cache: Path, digest: str) -> int:
    return len(list((cache / digest).glob("*.segment")))


def test_ls_shows_a_row_for_each_prefix_and_the_total(call: Call, cache: Path) -> None:
    code, output, messages = call("ls", str(cache))
    assert (code, messages) == (0, "")
    rows = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in output.splitlines() if "│" in line]
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() - 20 * DAY))
    assert [row[:-1] for row in rows] == [
        [OLD[:12], "models/[old]", "embeddings + 3 blocks", "bfloat16", "200", "8.1 kB"],
        [NEW[:12], "models/new", "embeddings + 1 block + pooler", "float32", "200", "12.1 kB"],
        ["total", "", "", "", "400", "20.2 kB"],
    ]
    assert rows[0][-1].startswith(day)


def test_ls_as_json_is_one_line(call: Call, cache: Path) -> None:
    code, output, messages = call("ls", str(cache), "--json")
    assert (code, messages, output.count("\n")) == (0, "", 1)
    content = json.loads(output)
    old, new = content["prefixes"]
    assert (content["rows"], content["bytes"]) == (400, 2 * OLD_BYTES + 2 * NEW_BYTES)
    assert {key: old[key] for key in ("digest", "hub", "parts", "dtype", "max_tokens", "rows", "bytes")} == {
        "digest": OLD,
        "hub": "models/[old]",
        "parts": BLOCKS,
        "dtype": "bfloat16",
        "max_tokens": 64,
        "rows": 200,
        "bytes": 2 * OLD_BYTES,
    }
    assert old["last_used"] < new["last_used"]


def test_prune_by_age(call: Call, cache: Path) -> None:
    code, output, messages = call("prune", str(cache), "--older-than", "30d")
    assert (code, messages) == (0, "")
    assert output.splitlines() == [
        f"{OLD[:12]}: removed 1 of 2 segments, 100 rows, 4.0 kB (models/[old], embeddings + 3 blocks)",
        "removed 100 rows, 4.0 kB; 300 rows, 16.1 kB stay",
    ]
    assert (segments(cache, OLD), segments(cache, NEW)) == (1, 2)


@pytest.mark.parametrize(("age", "left"), [("2w", (0, 2)), ("11d", (0, 2)), ("200h", (0, 1)), ("41d", (2, 2))])
def test_an_age_is_in_hours_days_or_weeks(call: Call, cache: Path, age: str, left: tuple[int, int]) -> None:
    assert call("prune", str(cache), "--older-than", age)[0] == 0
    assert (segments(cache, OLD), segments(cache, NEW)) == left


@pytest.mark.parametrize(
    ("size", "left"), [("1GB", (2, 2)), ("18kB", (1, 2)), ("12.2 KB", (0, 2)), ("10KiB", (0, 1)), ("0", (0, 0))]
)
def test_prune_by_size_removes_the_least_recently_used_of_all(
    call: Call, cache: Path, size: str, left: tuple[int, int]
) -> None:
    assert call("prune", str(cache), "--max-size", size)[0] == 0
    assert (segments(cache, OLD), segments(cache, NEW)) == left


def test_prune_one_prefix_whole(call: Call, cache: Path) -> None:
    code, output, _ = call("prune", str(cache), "--prefix", "ff")
    assert code == 0
    assert output.splitlines()[-1] == "removed 200 rows, 12.1 kB; 0 rows, 0 bytes stay"
    assert (segments(cache, OLD), segments(cache, NEW)) == (2, 0)
    _, output, _ = call("ls", str(cache), "--json")
    assert [prefix["last_used"] is None for prefix in json.loads(output)["prefixes"]] == [False, True]


def test_with_another_criterion_a_prefix_only_limits_what_is_looked_at(call: Call, cache: Path) -> None:
    assert call("prune", str(cache), "--prefix", NEW, "--older-than", "5d")[0] == 0
    assert (segments(cache, OLD), segments(cache, NEW)) == (2, 1)


def test_a_dry_run_says_the_same_and_removes_nothing(call: Call, cache: Path) -> None:
    code, output, _ = call("prune", str(cache), "--max-size", "0B", "--dry-run")
    assert code == 0
    assert output.splitlines()[-1] == "would remove 400 rows, 20.2 kB; 0 rows, 0 bytes stay"
    assert (segments(cache, OLD), segments(cache, NEW)) == (2, 2)


def test_nothing_to_prune_is_no_error(call: Call, cache: Path) -> None:
    code, output, messages = call("prune", str(cache), "--older-than", "90d")
    assert (code, output, messages) == (0, "removed 0 rows, 0 bytes; 400 rows, 20.2 kB stay\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "cache prune: say what to remove: --older-than 30d, --max-size 10GB or --prefix DIGEST"),
        (["--dry-run"], "cache prune: say what to remove: --older-than 30d, --max-size 10GB or --prefix DIGEST"),
        (["--older-than", "month"],
         "--older-than: 'month' is no age; write a number of hours, days or weeks: 12h, 30d, 2w"),
        (["--older-than=-3d"], "--older-than: '-3d' is no age; write a number of hours, days or weeks: 12h, 30d, 2w"),
        (["--max-size", "big"], "--max-size: 'big' is no size; write a number with a unit: 500MB, 10GB, 1.5GiB"),
        (["--max-size=-1GB"], "--max-size: '-1GB' is no size; write a number with a unit: 500MB, 10GB, 1.5GiB"),
        (["--prefix", "e"], f"--prefix: 'e' matches none of: {OLD}, {NEW}"),
    ],
)  # fmt: skip
def test_a_criterion_that_is_missing_or_wrong_is_refused(
    call: Call, cache: Path, arguments: list[str], message: str
) -> None:
    assert error(call, "prune", str(cache), *arguments) == message
    assert (segments(cache, OLD), segments(cache, NEW)) == (2, 2)


@pytest.mark.parametrize("verb", [["ls"], ["prune", "--max-size", "0"]])
def test_a_folder_that_is_no_prefix_cache_is_refused(call: Call, tmp_path: Path, verb: list[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / f"{'0' * 32}.segment").write_text("precious")
    assert error(call, *verb, str(tmp_path)).startswith(f"{tmp_path}: this is no prefix cache: ")
    assert error(call, *verb, str(tmp_path / "nowhere")).startswith(f"{tmp_path}/nowhere: no such folder; ")
    assert error(call, *verb, "gs://bucket/cache").startswith("gs://bucket/cache: a prefix cache must be a local")
    assert (tmp_path / "mine" / f"{'0' * 32}.segment").read_text() == "precious"


def test_help(call: Call) -> None:
    code, output, messages = call("--help")
    assert (code, messages) == (0, "")
    assert "ls" in output
    assert "prune" in output
    code, output, _ = call("prune", "--help")
    assert code == 0
    for part in ("DIR", "--older-than", "--max-size", "--prefix", "--dry-run", "Example:"):
        assert part in output


def test_the_command_itself_needs_no_tensorflow(cache: Path) -> None:
    """In a process of its own, with its exit code."""
    done = subprocess.run(
        [str(COMMAND), "cache", "ls", str(cache), "--json"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["rows"] == 400
    code = (
        "import sys\nfrom pipeline.cli.app import app\n"
        "app(['cache', 'ls', sys.argv[1]], standalone_mode=False)\n"
        "app(['cache', 'prune', sys.argv[1], '--max-size', '0'], standalone_mode=False)\n"
        "loaded = {'tensorflow', 'tfx', 'apache_beam', 'keras', 'tf_keras'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(cache)], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert segments(cache, NEW) == 0
