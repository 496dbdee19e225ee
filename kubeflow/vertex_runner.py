"""For those who use TFX's own command line: it finds the pipeline here.

    tfx pipeline compile --engine=vertex --pipeline_path=kubeflow/vertex_runner.py
    PERMAFROST_CONFIG=my.toml tfx pipeline create --engine=vertex --pipeline_path=kubeflow/vertex_runner.py

`permafrost compile` does the same without it.
"""

import os
from pathlib import Path

from pipeline.config_file import load_config
from pipeline.runners.vertex import compile_job

_DEFAULT = Path(__file__).resolve().parent.parent / "configs" / "vertex.toml"

if __name__ == "__main__":
    compile_job(load_config(Path(os.environ.get("PERMAFROST_CONFIG", _DEFAULT))), write_out=True)
