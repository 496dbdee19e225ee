"""From a Hugging Face BERT checkpoint to a TF-Hub encoder, proven to load and to be trainable in parts."""

from dataclasses import dataclass
from pathlib import Path

from trainer_module.encoder import CannotRebuild, rebuild
from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.layout import EncoderLayout
from trainer_module.hugging_face.checkpoint import HfCheckpoint, read_hf_checkpoint
from trainer_module.hugging_face.hub_export import DROPOUT, save_hub_encoder
from trainer_module.hugging_face.new_folder import new_folder, refuse_occupied


@dataclass(frozen=True)
class ImportedEncoder:
    """What `import_hf` wrote.

    Attributes:
        path: Of the SavedModel.
        layout: Its variables and architecture.
        activation: Of the feed-forward nets: a key of `encoder.math.ACTIVATIONS`.
        epsilon: Of the layer norms.
        lower_case: Whether text is lower-cased and stripped of accents first.
        largest_difference: Between any output of the SavedModel and of the encoder rebuilt from it, absolute.
        notes: What a user should know of this conversion; usually empty.
    """

    path: Path
    layout: EncoderLayout
    activation: str
    epsilon: float
    lower_case: bool
    largest_difference: float
    notes: tuple[str, ...]


def import_hf(source: Path, out: Path, lower_case: bool | None = None) -> ImportedEncoder:
    """Turns a Hugging Face BERT checkpoint folder into a TF-Hub encoder SavedModel.

    The SavedModel is read back and must pass the probe that every Hub model passes before training
    (`encoder.rebuild`, at most 1e-4); only then does it appear at `out`.

    Args:
        source: Holds `config.json`, `vocab.txt` and `model.safetensors`.
        out: Doesn't exist yet, or is empty.
        lower_case: Overrides what the checkpoint says of its casing; see `vocabulary.read_hf_vocabulary`.

    Raises:
        UserError: The checkpoint can't be imported, or `out` is taken; nothing is written.

    Example:
        >>> import_hf(Path("all-MiniLM-L6-v2"), Path("hub/minilm")).largest_difference  # doctest: +SKIP
        2.4e-06
    """
    refuse_occupied(out)
    checkpoint = read_hf_checkpoint(source, lower_case)
    with new_folder(out) as folder:
        save_hub_encoder(
            folder,
            checkpoint.layout,
            checkpoint.weights,
            activation=checkpoint.activation,
            epsilon=checkpoint.epsilon,
            vocab_path=checkpoint.vocab_path,
            lower_case=checkpoint.lower_case,
        )
        difference = _check(folder, source, checkpoint)
    return ImportedEncoder(
        path=out,
        layout=checkpoint.layout,
        activation=checkpoint.activation,
        epsilon=checkpoint.epsilon,
        lower_case=checkpoint.lower_case,
        largest_difference=difference,
        notes=checkpoint.notes,
    )


def _check(folder: Path, source: Path, checkpoint: HfCheckpoint) -> float:
    """Reads the SavedModel as any user of it does; returns by how much the rebuilt encoder differs."""
    try:
        return rebuild(HubModel(str(folder)), lambda name: True, DROPOUT).largest_difference
    except (UserError, CannotRebuild) as error:
        raise UserError(
            f"{source}: the converted encoder can't be trained in parts, so it was not written (activation "
            f"{checkpoint.activation}, layer_norm_eps {checkpoint.epsilon:g}): {error}"
        ) from None
