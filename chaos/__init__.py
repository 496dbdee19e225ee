"""`make chaos`: a pipeline that retrains every night, and what must not harm it."""
