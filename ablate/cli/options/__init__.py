"""Flag groups that several commands share.

May import everything below `cli`.
"""
