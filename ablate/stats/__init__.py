"""Statistics: arrays and tables in, numbers out. `effects/` estimates and judges, `attribution/` decomposes.

May import `errors` and `wording` only.
"""
