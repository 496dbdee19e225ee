"""A night whose rows all have one label is stopped before Transform, unless one is only to be warned of it."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer_module.errors import UserError

pytestmark = pytest.mark.slow

CONFIG = """
[data]
train = "nights/{SPAN}.csv"
eval = "newest"
window = 2
text = ["text"]
label = "topic"

[data_gate]
compare_from_rows = 100

[model]
hub = "HUB"
max_tokens = 16
freeze = ["freeze all"]

[train]
steps = 1

[evaluate.thresholds.loss]
at_most = 100
"""
TICKETS = Path(__file__).parents[2] / "examples" / "support_tickets.csv"
Project = Any


def deliver(project: Project, night: int, label: str | None = None) -> None:
    """Two hundred tickets, all of them with this label where one is given."""
    with TICKETS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[night * 200 :][:200]
    (project.folder / "nights").mkdir(exist_ok=True)
    with (project.folder / "nights" / f"{night}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "topic"), *((row["text"], label or row["topic"]) for row in rows)])


def test_a_bad_night(make_project: Callable[[str], Project]) -> None:
    project = make_project(CONFIG)
    for night in (1, 2):
        deliver(project, night)
    first = project.run()
    assert first.data_gate.warnings == []
    pushed = project.pushed()
    assert (project.serving / pushed[0] / "assets.extra" / "data_profile.json").is_file()

    deliver(project, 3, label="billing")
    with pytest.raises(UserError) as caught:
        project.run()
    (problem,) = caught.value.problems
    assert problem.startswith(
        "data_gate.label_drift: the labels of the eval rows differ from those of the live model's eval rows by 0."
    )
    assert "(largest difference in share); at most 0.2 is allowed; most: 'billing' from " in problem
    assert " to 100.0%" in problem
    assert ("failed", "DataGate") in project.events.heard
    assert ("started", "Transform") not in project.events.heard
    assert project.pushed() == pushed

    warned = project.run("data_gate.label_drift=warn")
    assert [message.split(":")[0] for message in warned.to_json()["warnings"] if "data_gate" in message] == [
        "data_gate.label_skew", "data_gate.label_drift"
    ]  # fmt: skip
    assert ("ended", "Transform") in project.events.heard
    assert "DataProfile" in warned.cached, "the rows were counted before the run was stopped"
