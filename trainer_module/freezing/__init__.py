"""From freeze rules to a plan: which variable trains, from when on and how fast."""
