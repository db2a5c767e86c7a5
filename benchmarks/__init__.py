"""Benchmarks of speed, each relative to a reference measured in the same run: `python -m benchmarks`."""
