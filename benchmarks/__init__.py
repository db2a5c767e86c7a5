"""Speed, each figure held against a reference that is measured beside it: `python -m benchmarks`."""
