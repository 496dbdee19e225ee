"""`python -m benchmarks.training.chart RESULTS PNG`: the bar chart in README.md.

Runs where matplotlib is, which is not the project's environment, so it reads the file with the standard library.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.training.design import LEVELS

EPOCHS = 3
_BARS = {
    ("tfx", "float32"): ("TFX example's recipe", "#b8bfc6"),
    ("huggingface", "float32"): ("Hugging Face, PyTorch", "#e0a458"),
    ("permafrost", "float32"): ("Permafrost, float32", "#2f6f9f"),
    ("permafrost", "bfloat16"): ("Permafrost, bfloat16", "#7fb3d5"),
}


@dataclass(frozen=True)
class Bar:
    """One bar: name of the system, examples per second, that against Hugging Face, colour."""

    name: str
    examples_per_s: float
    ratio: float | None
    colour: str

    @property
    def label(self) -> str:
        """What is written at its end."""
        ratio = "" if self.ratio is None else f"  ({self.ratio:.1f}×)"
        return f"{self.examples_per_s:.0f}{ratio}"


def panels(rows: list[dict[str, Any]]) -> dict[str, list[Bar]]:
    """The bars by amount of freezing, of the trainings with `EPOCHS` epochs."""
    made: dict[str, list[Bar]] = {}
    for frozen in LEVELS:
        speeds = {
            (row["system"], row["dtype"]): row["examples_per_s"]
            for row in rows
            if (row["frozen"], row["epochs"]) == (frozen, EPOCHS)
        }
        peer = speeds.get(("huggingface", "float32"))
        made[frozen] = [
            Bar(name, speeds[key], speeds[key] / peer if peer and key[0] == "permafrost" else None, colour)
            for key, (name, colour) in _BARS.items()
            if key in speeds
        ]
    return {frozen: bars for frozen, bars in made.items() if bars}


def draw(results: dict[str, Any], file: Path) -> None:
    """Draws one panel an amount of freezing, each with an axis of its own."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = panels(results["rows"])
    heights = [len(bars) + 0.8 for bars in drawn.values()]
    figure, axes = pyplot.subplots(
        len(drawn),
        1,
        figsize=(8, 0.42 * sum(heights) + 1.1),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
        facecolor="white",
    )
    for axis, (frozen, bars) in zip(axes[:, 0], drawn.items(), strict=True):
        drawn_bars = axis.barh(
            [bar.name for bar in bars], [bar.examples_per_s for bar in bars], color=[bar.colour for bar in bars]
        )
        axis.bar_label(drawn_bars, [bar.label for bar in bars], padding=4, fontsize=9)
        axis.set_title(f"Frozen: {LEVELS[frozen].title}", loc="left", fontsize=10, fontweight="bold")
        axis.set_xlim(0, 1.2 * max(bar.examples_per_s for bar in bars))
        axis.invert_yaxis()
        axis.xaxis.set_visible(False)
        axis.tick_params(axis="y", length=0, labelsize=9)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.spines["left"].set_color("#999999")
    figure.suptitle(
        f"Training, examples per second (× = against Hugging Face)\n"
        f"SST-2, {results['train_rows']} rows, {EPOCHS} epochs, MiniLM-L6, {results['processors']} processors",
        fontsize=11,
    )
    figure.savefig(file, dpi=150)


def main(results_file: str, png: str) -> None:
    """Draws what the file holds."""
    draw(json.loads(Path(results_file).read_text(encoding="utf-8")), Path(png))


if __name__ == "__main__":
    main(*sys.argv[1:])
