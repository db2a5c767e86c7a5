"""Faults, made for real: what is killed, filled up, locked or taken away, and what must hold after it."""
