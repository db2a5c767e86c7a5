"""Factors, settings, recipes, designs, studies and jobs as frozen plain data. Imports no torch.

May import `stats`, `data` and the leaf modules.
"""
