"""What runs a pipeline: this machine, Vertex AI, Kubeflow Pipelines."""
