"""The statistics, tested by simulation: known effects in, the shipped verdict code, error rates out.

`python -m tests.simulation --repetitions 20000 --output reports/simulation.md` writes the full tier as Markdown.
"""
