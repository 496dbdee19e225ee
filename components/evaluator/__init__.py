"""TFX's Evaluator, quicker, with thresholds that can be chosen per run; see `component.UnconvertedEvaluator`."""
