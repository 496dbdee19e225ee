"""One push: all of a model becomes the newest version of a serving folder, or nothing does."""

import logging
from dataclasses import dataclass

from components.atomic_pusher import local_push, remote_push
from components.atomic_pusher.model_files import ModelFiles, combined_digest, describe_files
from components.atomic_pusher.origin import Origin

_log = logging.getLogger("permafrost.push")


@dataclass(frozen=True)
class Pushed:
    """What a push amounts to.

    Attributes:
        version: Its number.
        path: Its folder.
        is_new: False where the newest version already held this model.
        files: The model's files, as they were pushed.
    """

    version: int
    path: str
    is_new: bool
    files: ModelFiles


def push(model_dir: str, folder: str, *, model_uri: str, model_id: int, keep_versions: int | None = None) -> Pushed:
    """Makes a model the newest version.

    A version that holds this very artifact already, complete, and is the newest, is taken for the push: so a run that
    was killed between its push and the note of it in ML Metadata pushes once.

    - On this machine's disks a version appears by one rename, after all of it has reached the disk. What a killed push
      leaves has a name that TensorFlow Serving ignores, and the next push removes it.
    - Where folders can't be renamed in one step (`gs://…`, or a bucket that is mounted at `/gcs`), `saved_model.pb`
      comes last, without which no reader takes a folder for a model, and goes first when a version is pruned.

    Args:
        model_dir: A SavedModel.
        folder: The serving folder; it is made where it isn't there.
        model_uri: Of the Model artifact.
        model_id: Likewise.
        keep_versions: How many versions stay, the newest ones; None: all. What isn't a version always stays.

    Raises:
        UserError: The folder can't take the model: it is full, read-only or not ours. It is as it was.
    """
    files = describe_files(model_dir)
    origin = Origin(model=model_uri, model_id=model_id, digest=combined_digest(files))
    way = local_push if local_push.can_rename(folder) else remote_push
    version, path, is_new = way.push(model_dir, folder, origin, keep_versions)
    _log.info("version %d %s: %s", version, "was pushed" if is_new else "held this model already", path)
    return Pushed(version, path, is_new, files)
