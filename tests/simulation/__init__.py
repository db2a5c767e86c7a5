"""Simulation of the statistics: error rates of the shipped verdict code in studies with known effects.

`make simulate` runs the full simulation and writes `reports/simulation.md`. A small one runs with the tests.
"""
