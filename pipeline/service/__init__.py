"""Asks a pipeline service (Vertex AI Pipelines, Kubeflow Pipelines) to run a pipeline, once or by the clock."""
