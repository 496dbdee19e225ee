"""What Permafrost adds to TFX's own components.

TFX's V2 runner finds the class of an artifact by a path of two parts, `components.<Class>`; see `artifacts.py`.
"""

from typing import Any

_ARTIFACT_TYPES = ("FreezePlan", "FreezeAudit", "DataProfile", "DataGateReport", "ReleaseReport")


def __getattr__(name: str) -> Any:
    """Imports an artifact type when it is asked for, so that nothing else here needs TFX to be imported."""
    if name not in _ARTIFACT_TYPES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from components import artifacts

    return getattr(artifacts, name)
