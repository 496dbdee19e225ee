"""What a pipeline service (Vertex AI Pipelines, Kubeflow Pipelines) is asked to do: run a pipeline, or run it by the clock."""
