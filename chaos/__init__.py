"""`make chaos`: a pipeline that retrains every night, and what must not harm it."""

import os

# TensorFlow reads it when it is imported, which is on the way to ML Metadata.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
