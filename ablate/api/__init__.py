"""The Python interface, on which the command line is written: results are returned, and errors are exceptions.

Nothing here prints or exits. May import every lower layer.
"""
