"""`permafrost audit`: an exported model against the Hub model that it was trained from."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from pipeline.cli.audit_table import print_audit
from pipeline.cli.terminal import Terminal
from trainer_module.errors import UserError

if TYPE_CHECKING:
    from trainer_module.hub.hub_model import HubModel


def audit_command(model: str, hub: str | None, as_json: bool) -> bool:
    """Audits a model by the plan that it carries, and prints what was found.

    Args:
        model: A SavedModel's folder, or a serving folder with numbered versions.
        hub: The Hub model; default: what the plan names.
        as_json: Print the record instead of a table.

    Returns:
        Whether the audit passed.

    Raises:
        UserError: There is no model, it carries no plan, or the Hub model can't be read.
    """
    terminal = Terminal.open()
    terminal.hide_noise()
    from trainer_module.audit.freeze_audit import audit
    from trainer_module.audit.plan_in_model import PLAN_IN_MODEL, read_plan

    model_dir = _version_folder(model)
    if model_dir != model:
        terminal.err.print(f"auditing {model_dir}, the highest version", markup=False, soft_wrap=True)
    try:
        plan = read_plan(model_dir)
    except UserError as error:
        file = os.path.join(model_dir, PLAN_IN_MODEL)
        raise UserError([f"{file}: {problem}" for problem in error.problems]) from None
    if plan is None:
        raise UserError(f"{model_dir}: this model was not exported by Permafrost: it carries no freeze plan")
    record = audit(model_dir, plan, _hub_model(hub, plan.model.hub, model_dir))
    if as_json:
        terminal.print_json(json.loads(record.to_json()))
    else:
        print_audit(terminal.out, record)
    return record.verdict == "passed"


def _version_folder(model: str) -> str:
    """The folder of the SavedModel: the given one, or the highest version in it."""
    import tensorflow as tf

    from components.atomic_pusher.serving_folder import versions

    gfile = tf.io.gfile
    if not gfile.isdir(model):
        raise UserError(f"{model}: no such folder; give an exported model, or the serving folder it was pushed to")
    if gfile.exists(os.path.join(model, "saved_model.pb")):
        return model
    # Pusher copies saved_model.pb last: without it a version isn't complete.
    complete = [path for path in versions(model).values() if gfile.exists(os.path.join(path, "saved_model.pb"))]
    if not complete:
        raise UserError(
            f"{model}: there is neither a saved_model.pb nor a numbered version in it; "
            "give an exported model, or the serving folder it was pushed to"
        )
    return complete[-1]


def _hub_model(given: str | None, recorded: str, model_dir: str) -> HubModel:
    from trainer_module.hub.hub_model import HubModel

    # An audit reads values only, so it doesn't matter what the program would do.
    if given is not None:
        return HubModel(given, allow_unsafe_ops=True)
    if not recorded:
        raise UserError(f"{model_dir}: its plan doesn't say which Hub model it was made for; name it with --hub")
    try:
        return HubModel(recorded, allow_unsafe_ops=True)
    except UserError as error:
        where = "this is the Hub model that the exported one names; if it lies elsewhere now, say where with --hub"
        raise UserError([f"{problem} ({where})" for problem in error.problems]) from None
