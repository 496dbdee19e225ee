"""How components hand a freeze plan on: the channel's name, and the files in its artifact."""

import os

FREEZE_PLAN_KEY = "freeze_plan"


def plan_file(uri: str) -> str:
    """The plan itself: JSON of a `trainer_module.freezing.freeze_plan.FreezePlan`."""
    return os.path.join(uri, "freeze_plan.json")


def plan_page_file(uri: str) -> str:
    """The page that shows it."""
    return os.path.join(uri, "freeze_plan.html")
