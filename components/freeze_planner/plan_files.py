"""A freeze plan as the files of an artifact."""

from tfx.dsl.io import fileio

from components.freeze_planner.plan_page import plan_page
from components.plan_channel import plan_file, plan_page_file
from trainer_module.freezing.freeze_plan import FreezePlan


def write_plan(plan: FreezePlan, uri: str) -> None:
    """Writes the plan and its page: both or, when that fails, none.

    Args:
        plan: See `FreezePlan`.
        uri: An existing folder, local or gs://.
    """
    # The plan comes last: where it is, the page is too, even if the process was killed in between.
    files = {plan_page_file(uri): plan_page(plan), plan_file(uri): plan.to_json()}
    try:
        for path, content in files.items():
            with fileio.open(path, "w") as stream:
                stream.write(content)
    except Exception:
        for path in files:
            if fileio.exists(path):
                fileio.remove(path)
        raise
