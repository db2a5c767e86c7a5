"""One command from resolved input to written result: runs, journals, the tracking store and the console together.

May import `report` and everything below it.
"""
