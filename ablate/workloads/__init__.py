"""The workloads: the built-in ResNet9, and a user's own training functions and commands.

May import `studies` and everything below it.
"""
