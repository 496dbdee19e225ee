"""An audit for people: one row per part of the model, bars for what is frozen and for how far the rest moved."""

from components.html_page import Bar, Cell, render_page
from trainer_module.audit.audit_record import AuditRecord, BlockAudit

_COLUMNS = ("part", "parameters", "frozen", "variables moved", "moved by (relative L2)", "largest change")


def audit_page(record: AuditRecord) -> str:
    """The page's HTML; see `html_page.render_page`. The part that moved furthest has a full bar."""
    facts = {
        "verdict": record.verdict,
        "exported model": record.model,
        "Hub model": record.hub,
        "its digest": record.hub_digest,
        "plan digest": record.plan_digest,
        "frozen": f"{record.frozen_params:,}",
        "trainable": f"{record.trainable_params:,}, and the task head",
        "variables moved": f"{record.moved_variables:,} of {len(record.variables):,}",
    }
    furthest = max((block.relative_l2_change or 0.0 for block in record.blocks), default=0.0)
    rows = [_row(block, furthest) for block in record.blocks]
    return render_page(f"Freeze audit: {record.verdict}", facts, _COLUMNS, rows, record.problems)


def _row(block: BlockAudit, furthest: float) -> list[Cell]:
    frozen = block.frozen_params / block.parameters
    share = (block.relative_l2_change or 0.0) / furthest if furthest else 0.0
    return [
        block.name,
        f"{block.parameters:,}",
        Bar(frozen, f"{frozen:.0%}"),
        f"{block.moved_variables} of {block.variables}",
        Bar(share, block.moved_by),
        block.largest_change,
    ]
