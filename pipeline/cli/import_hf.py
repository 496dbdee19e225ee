"""`permafrost import-hf`: a Hugging Face BERT becomes a TF-Hub encoder."""

from pathlib import Path

from pipeline.cli.terminal import Terminal


def import_command(source: Path, out: Path, lower_case: bool | None) -> None:
    """Converts, checks, and says what came out.

    Raises:
        UserError: The checkpoint is no BERT, lacks a file, or `out` exists.
    """
    terminal = Terminal.open()
    terminal.hide_noise()
    from trainer_module.hugging_face.import_checkpoint import import_hf

    imported = import_hf(source, out, lower_case)
    layout = imported.layout
    terminal.out.print(
        f"{out}: {layout.blocks} blocks, width {layout.hidden}, {layout.heads} heads, "
        f"{layout.parameters:,} parameters; outputs differ from the checkpoint's by at most "
        f"{imported.largest_difference:.1g}",
        markup=False,
        soft_wrap=True,
    )
    for note in imported.notes:
        terminal.err.print(f"note: {note}", markup=False, soft_wrap=True)
