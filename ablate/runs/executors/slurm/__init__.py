"""Execution on a Slurm cluster: options, states of jobs, the shared queue of calls, and their submission."""
