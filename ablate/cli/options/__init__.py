"""Groups of options that several commands share, and the names and headings in their help.

May import everything below `cli`.
"""
