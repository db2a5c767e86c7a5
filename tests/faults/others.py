"""Faults of the machine around a command: disk, memory, clock, locks, servers."""

OTHERS: list = []
