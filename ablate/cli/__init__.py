"""Command line: one module per command, groups of options in `options/`, study templates in `templates/`.

Top layer: may import every other layer, and nothing imports it.
"""
