"""Factors with levels: rank tests, factorial designs with levels, and their aliases."""
