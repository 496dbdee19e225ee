"""Runs a compiled pipeline job on this machine, as Vertex AI Pipelines would; nothing of ours is assumed of the job."""
