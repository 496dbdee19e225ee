"""What a run on this machine refuses before anything of it starts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config import PipelineConfig
from pipeline.runners.component_events import ComponentListener
from pipeline.runners.local import run_pipeline
from trainer_module.errors import UserError


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[str], str]:
    """Runs with `data.schema`, which is refused; returns the message, with the folder as `.`."""
    (tmp_path / "rows.csv").write_text("text,label\n")

    def run(schema: str) -> str:
        config = PipelineConfig.model_validate(
            {
                "pipeline": {"name": "mine", "root": str(tmp_path / "run")},
                "data": {"train": "rows.csv", "text": ["text"], "label": "label", "schema": schema},
                "model": {"hub": "none"},
            }
        ).resolve_paths(tmp_path)
        with pytest.raises(UserError) as error:
            run_pipeline(config, _Nobody())
        assert not (tmp_path / "run").exists()
        return str(error.value).replace(str(tmp_path), ".")

    return run


class _Nobody(ComponentListener):
    def started(self, component: str, run_id: str) -> None: ...
    def ended(self, component: str, seconds: float) -> None: ...
    def failed(self, component: str, error: Exception) -> None: ...


NO_SCHEMA = "data.schema: ./schema.pbtxt is not a schema in protocol buffers' text format (schema.pbtxt): "


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"text,label\nfine,pos\n", NO_SCHEMA),
        (b'feature { name: "text" type: BYTES', NO_SCHEMA),
        (b"\xff\xfe\0", NO_SCHEMA),
        (b"feature { struct_domain { " * 5000, NO_SCHEMA),
        (b"", "data.schema: ./schema.pbtxt has no feature 'text', 'label'; it has none"),
        (
            b'feature { name: "topic" } feature { name: "text" }',
            "data.schema: ./schema.pbtxt has no feature 'label'; its features are: 'text', 'topic'",
        ),
    ],
)
def test_a_schema_that_is_none(tmp_path: Path, refusal: Callable[[str], str], content: bytes, problem: str) -> None:
    (tmp_path / "schema.pbtxt").write_bytes(content)
    assert refusal("schema.pbtxt").startswith(problem)


def test_a_schema_that_cannot_be_read(tmp_path: Path, refusal: Callable[[str], str]) -> None:
    assert refusal("gone.pbtxt") == "data.schema: no such file: ./gone.pbtxt"
    assert refusal(".") == "data.schema: . cannot be read: Is a directory"
    assert refusal("/dev/zero") == "data.schema: /dev/zero is a device; only regular files can be read"
    os.mkfifo(tmp_path / "pipe.pbtxt")
    assert refusal("pipe.pbtxt") == "data.schema: ./pipe.pbtxt is a named pipe; only regular files can be read"
