"""Command line: one module per command, flag groups in `options/`, study templates in `templates/`.

Top layer: may import every other layer, and nothing imports it.
"""
