"""Journals: append-only records of runs and studies on disk.

May import the leaf modules only.
"""
