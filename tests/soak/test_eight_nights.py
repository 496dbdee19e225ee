"""Eight nights over real rows, nobody watching: what `permafrost retrain` is for."""

import csv
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.spans import span_of
from examples.make_dated_spans import write_spans

pytestmark = pytest.mark.soak

WINDOW = 7
NIGHTS = 8
FIRST_DAY = date(2026, 11, 1)
ROWS_PER_DAY = 60
TOPICS = (
    "card_payment_fee_charged",
    "direct_debit_payment_not_recognised",
    "cash_withdrawal_charge",
    "transaction_charged_twice",
)
"""Of Banking77's 77, so few that an encoder with random weights can learn to tell them apart."""
ONE_SIDED, CORRECTED, WORSE = 4, 5, 7
"""The night whose newest day has one class only, the night that finds it corrected, and the night of a bad model."""

CONFIG = """
[pipeline]
name = "nightly"
root = "run"
[data]
train = "days/{YYYY}-{MM}-{DD}/v{VERSION}/*.csv"
window = 7
eval = "newest"
text = ["text"]
label = "category"
[data_gate]
compare_from_rows = 50
label_drift = 0.4
vocabulary_drift = "warn"
text_length_drift = "warn"
[model]
hub = "HUB"
max_tokens = 32
freeze = ["freeze embeddings", "freeze encoder[:2]"]
pooling = "mean"
[train]
epochs = 20
batch_size = 16
learning_rate = 3e-3
prefix_cache_dir = "cache"
[evaluate.thresholds.accuracy]
no_worse_than_live_by = 0.25
[push]
directory = "serving"
[retrain]
attempts = 1
hook = ["tee", "-a", "HOOKED"]
"""


class Nights:
    """A nightly pipeline in a folder of its own.

    Args:
        folder: An empty one.
        hub: The encoder.
        source: A CSV file of rows with a header.
    """

    def __init__(self, folder: Path, hub: Path, source: Path) -> None:
        self.folder = folder
        self.hooked = folder / "hooked.jsonl"
        self.config = folder / "nightly.toml"
        self.config.write_text(CONFIG.replace("HUB", str(hub)).replace("HOOKED", str(self.hooked)), encoding="utf-8")
        # All that ever arrives; a night's day is moved to where the pipeline looks.
        self._later = folder / "later"
        write_spans(
            source, self._later, days=WINDOW - 1 + NIGHTS, rows_per_day=ROWS_PER_DAY, first=FIRST_DAY, header=True
        )
        for day in range(WINDOW - 1):
            self._arrives(FIRST_DAY + timedelta(days=day))

    def day_arrives(self, night: int) -> Path:
        """Puts a night's newest rows where the pipeline looks; gives the file."""
        self._arrives(self.date_of(night))
        return self.folder / "days" / self.date_of(night).isoformat() / "v1" / "rows.csv"

    def retrain(self, *overrides: str) -> tuple[int, dict[str, Any]]:
        """The exit code, and what the hook was told."""
        options = [option for override in overrides for option in ("--set", override)]
        before = len(self.told)
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "retrain", "--config", str(self.config), *options],
            capture_output=True,
            text=True,
        )
        assert len(self.told) == before + 1, done.stdout + done.stderr
        return done.returncode, self.told[-1]

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the hook was told, night by night."""
        if not self.hooked.exists():
            return []
        decoder, text, found = json.JSONDecoder(), self.hooked.read_text(encoding="utf-8").strip(), []
        while text:
            value, end = decoder.raw_decode(text)
            found.append(value)
            text = text[end:].strip()
        return found

    @property
    def versions(self) -> list[str]:
        """What is served."""
        folder = self.folder / "serving"
        return sorted(path.name for path in folder.iterdir() if path.name.isdigit()) if folder.exists() else []

    def history(self) -> list[dict[str, Any]]:
        """What `permafrost history --json` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "history", "--config", str(self.config), "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        runs: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
        return runs

    def date_of(self, night: int) -> date:
        """The day whose rows are the newest in a night, from 1 on."""
        return FIRST_DAY + timedelta(days=WINDOW - 2 + night)

    def _arrives(self, day: date) -> None:
        (self.folder / "days").mkdir(exist_ok=True)
        shutil.move(self._later / day.isoformat(), self.folder / "days" / day.isoformat())


@pytest.fixture(scope="module")
def nights(
    tmp_path_factory: pytest.TempPathFactory, hub_model: Callable[[str], Path], shared_data: Callable[[str], Path]
) -> Nights:
    folder = tmp_path_factory.mktemp("nights")
    rows = []
    for split in ("train", "test"):
        with (shared_data("Banking77") / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
            rows += [row for row in csv.reader(stream) if row[1] in TOPICS and "\n" not in row[0]]
    random.Random(0).shuffle(rows)
    source = folder / "all.csv"
    with source.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "category"], *rows])
    return Nights(folder, hub_model("bert_L-4_H-32"), source)


def test_eight_nights_with_a_bad_day_and_a_worse_model(nights: Nights):
    served: list[list[str]] = []
    for night in range(1, NIGHTS + 1):
        rows = nights.day_arrives(night)
        span = span_of(nights.date_of(night))
        good = rows.read_text(encoding="utf-8")
        if night == ONE_SIDED:
            with rows.open(encoding="utf-8", newline="") as stream:
                texts = [row["text"] for row in csv.DictReader(stream)]
            with rows.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows([["text", "category"], *([text, TOPICS[0]] for text in texts)])
            code, told = nights.retrain()
            assert (code, told["outcome"]) == (2, "stopped")
            assert "label_drift" in told["error"]
            # The next morning, somebody corrects that day.
            correction = rows.parents[1] / "v2" / rows.name
            correction.parent.mkdir()
            correction.write_text(good, encoding="utf-8")
        elif night == WORSE:
            code, told = nights.retrain(
                "train.learning_rate=1e-9", "evaluate.thresholds.accuracy.no_worse_than_live_by=0.05"
            )
            assert (code, told["outcome"]) == (3, "not_blessed")
            assert any("than the live model" in reason for reason in told["run"]["not_blessed_because"])
            assert told["run"]["span"] == span
        else:
            code, told = nights.retrain()
            assert (code, told["outcome"]) == (0, "pushed"), told
            assert told["run"]["span"] == span
        served.append(nights.versions)

    counts = [len(versions) for versions in served]
    assert counts == [1, 2, 3, 3, 4, 5, 5, 6]
    assert served[ONE_SIDED - 1] == served[ONE_SIDED - 2]
    assert served[WORSE - 1] == served[WORSE - 2]
    # The correction was read, in the place of what it corrects.
    bad_day = span_of(nights.date_of(ONE_SIDED))
    assert [span["version"] for span in nights.told[CORRECTED - 1]["run"]["spans"] if span["span"] == bad_day] == [2]
    assert [run["outcome"] for run in nights.history()] == [told["outcome"] for told in nights.told][::-1]
