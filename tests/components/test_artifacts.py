"""What TFX's V2 runner demands of an artifact type; see the docstring of `components.artifacts`."""

import inspect
import re

import pytest
from tfx.types.artifact import Artifact
from tfx.utils import import_utils

import components
from components import artifacts

TYPES = [
    each
    for each in vars(artifacts).values()
    if inspect.isclass(each) and issubclass(each, Artifact) and each != Artifact
]


@pytest.mark.parametrize("artifact_type", TYPES)
def test_the_v2_runner_finds_a_type_by_its_name_and_can_write_it_down(artifact_type: type[Artifact]) -> None:
    name = artifact_type.TYPE_NAME
    assert re.fullmatch(r"[a-z][a-z0-9-_]{2,20}[.][A-Z][a-zA-Z0-9-_]{2,49}", name), "compiler_utils._SCHEMA_TITLE_RE"
    assert import_utils.import_class_by_path(name) is artifact_type
    assert not artifact_type.PROPERTIES


def test_other_names_are_not_in_the_package() -> None:
    with pytest.raises(AttributeError, match="module 'components' has no attribute 'FrezePlan'"):
        components.FrezePlan  # noqa: B018
