"""Shared samples: toy workloads, journals, tables and servers that tests are built from."""
