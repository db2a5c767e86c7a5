"""Statistics of arrays and tables: estimates and verdicts (`effects/`), attribution (`attribution/`), the metric.

May import `errors` and `wording` only.
"""
