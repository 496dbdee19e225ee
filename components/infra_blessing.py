"""InfraBlessing, as Pusher expects it of InfraValidator (tfx/components/infra_validator/executor.py)."""

import os
from collections.abc import Sequence

from tfx.types.artifact import Artifact
from tfx.utils import io_utils

_FILES = {1: "INFRA_BLESSED", 0: "INFRA_NOT_BLESSED"}


def write_blessing(blessing: Artifact, problems: Sequence[str]) -> None:
    """Gives the blessing, or withholds it and says why.

    Pusher looks at the custom property `blessed`, people at the file; the reasons are the custom property `reason`.

    Args:
        blessing: The InfraBlessing that the running component puts out.
        problems: Why it is withheld; none: it is given.
    """
    blessed = 0 if problems else 1
    io_utils.write_string_file(os.path.join(blessing.uri, _FILES[blessed]), "")
    blessing.set_int_custom_property("blessed", blessed)
    if problems:
        blessing.set_string_custom_property("reason", "; ".join(problems))
