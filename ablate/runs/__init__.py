"""Execution of runs: the runner, sweeps, executors, forecasts and sequential stopping.

May import `workloads` and everything below it.
"""
