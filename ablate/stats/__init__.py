"""Statistics of plain arrays and tables: `effects/` estimates and judges, `attribution/` decomposes, `metric` describes.

May import `errors` and `wording` only.
"""
