"""The language: factors, settings, metrics, recipes, designs and studies as frozen plain data. Imports no torch.

May import `stats`, `data` and the leaf modules.
"""
