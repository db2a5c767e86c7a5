"""Faults, made for real and many times: what is killed, filled up, locked or taken away, and what must hold after it."""
