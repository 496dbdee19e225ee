"""What a pipeline costs beyond its training: fixed seconds, and Transform's and Evaluator's rows per second."""
