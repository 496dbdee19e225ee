"""TFX's Trainer, bound to a plan that was made before; see `component.PlannedTrainer`."""
