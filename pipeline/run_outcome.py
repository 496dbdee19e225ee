"""How a run ended, in one word; where no library that reads ML Metadata is needed."""

from typing import Literal

Outcome = Literal["pushed", "unchanged", "not_blessed", "stopped", "failed"]
"""`pushed`: the model is live. `unchanged`: it was so before. `not_blessed`: the one before stays. `stopped`: by a gate
or another mistake. `failed`: by anything else."""
