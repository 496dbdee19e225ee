"""`python -m pipeline.cli`: the same as `permafrost`, where only the interpreter is known."""

from pipeline.cli import main

main()
