"""The append-only record on disk, of runs and of studies.

May import the leaf modules only.
"""
