"""Kubeflow Pipelines, open source, v2: a package to submit, and what each of its steps runs.

`package.py` compiles; `step.py` runs in the cluster, where the KFP SDK isn't needed.
"""
