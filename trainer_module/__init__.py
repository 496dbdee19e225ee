"""Everything a TFX worker imports to fine-tune a TF-Hub BERT with chosen layers frozen.

Point stock TFX components here; nothing of ours but this package is needed:

    Transform(preprocessing_fn="trainer_module.preprocessing_fn", custom_config={"bert": {...}}, ...)
    Trainer(run_fn="trainer_module.run_fn", custom_config={"bert": {...}}, ...)
"""

import importlib
import os
from typing import Any

# TFT and TFMA work with Keras 2 only, and TensorFlow looks at this when it is first imported.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

_ENTRY_POINTS = {
    "run_fn": "trainer_module.trainer",
    "preprocessing_fn": "trainer_module.transform",
}


def __getattr__(name: str) -> Any:
    """Imports an entry point when TFX asks for it, so that reading settings or a plan loads no TFX."""
    if name not in _ENTRY_POINTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ENTRY_POINTS[name]), name)
