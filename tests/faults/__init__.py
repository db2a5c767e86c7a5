"""Fault injection: kills, full disks, locks, missing servers, and the checks of what they leave behind."""
