"""A compiled job as a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_job(job: Mapping[str, Any], path: Path) -> None:
    """Writes a PipelineJob as JSON: the same bytes for the same job."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(job, indent=2, sort_keys=True) + "\n", encoding="utf-8")
