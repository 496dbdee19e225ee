"""A pipeline that gets new rows every night, in a folder of its own."""

import csv
import random
from dataclasses import dataclass, field
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent
_ROWS = _REPOSITORY / "examples" / "support_tickets.csv"
QUICKSTART_HUB = _REPOSITORY / ".cache" / "hub" / "minilm-l6"

WINDOW = 3
"""Spans that a night reads."""

_CONFIG = """
[pipeline]
name = "chaos"
root = "{state}"
[data]
train = "{rows}/span-{{SPAN}}/v{{VERSION}}/*.csv"
window = {window}
eval = "newest"
text = ["text"]
label = "topic"
[model]
hub = "{hub}"
freeze = [{{ freeze = "embeddings" }}, {{ freeze = "encoder[:-1]" }}]
max_tokens = 24
[train]
epochs = 3
batch_size = 16
learning_rate = 1e-3
seed = 0
checkpoint_steps = 3
prefix_cache_dir = "{prefix_cache}"
# Which model is better is not the question here.
[evaluate]
must_beat_baseline = false
[evaluate.thresholds.accuracy]
at_least = 0.0
no_worse_than_live_by = 1.0
[push]
directory = "{serving}"
"""


@dataclass
class Project:
    """A config, its rows and the Hub model it reads, all of it below one folder.

    Attributes:
        folder: For everything; `state` and `serving` may be disks of their own.
        hub: The Hub model, a copy in `folder` that may be damaged.
        rows_a_night: Of the real support tickets' generator, a sample of its own for each night.
    """

    folder: Path
    hub: Path
    rows_a_night: int = 60
    nights: int = field(default=0, init=False)

    @property
    def state(self) -> Path:
        """Artifacts, ML Metadata and logs."""
        return self.folder / "state"

    @property
    def serving(self) -> Path:
        """What TensorFlow Serving would read."""
        return self.folder / "serving"

    @property
    def metadata(self) -> Path:
        """The SQLite file of ML Metadata."""
        return self.state / "metadata.sqlite"

    @property
    def config(self) -> Path:
        """The config file."""
        return self.folder / "chaos.toml"

    def write_config(self) -> None:
        """Writes the config and the spans that the first night's window needs but its newest."""
        self.config.write_text(
            _CONFIG.format(
                state=self.state,
                rows=self.folder / "rows",
                window=WINDOW,
                hub=self.hub,
                prefix_cache=self.state / "prefix_cache",
                serving=self.serving,
            ),
            encoding="utf-8",
        )
        for span in range(1, WINDOW):
            self._write_span(span)

    def next_night(self) -> int:
        """New rows arrive. Gives the number of the night, from 1 on."""
        self.nights += 1
        self._write_span(WINDOW - 1 + self.nights)
        return self.nights

    def end_of_log(self, lines: int = 40) -> str:
        """Of the latest run's."""
        logs = sorted((self.state / "logs").glob("*.log"))
        return "\n".join(logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]) if logs else ""

    def _write_span(self, span: int) -> None:
        with _ROWS.open(newline="", encoding="utf-8") as stream:
            header, *rows = csv.reader(stream)
        topics: dict[str, list[list[str]]] = {}
        for row in rows:
            topics.setdefault(row[header.index("topic")], []).append(row)
        chance = random.Random(span)
        # The same share of each topic every night: it isn't the data that is odd here.
        chosen = [
            row for of_topic in topics.values() for row in chance.sample(of_topic, self.rows_a_night // len(topics))
        ]
        chance.shuffle(chosen)
        file = self.folder / "rows" / f"span-{span}" / "v1" / "tickets.csv"
        file.parent.mkdir(parents=True)
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *chosen])
