"""Plots of a report as data: captions, and arguments for the functions of `ablate.figures`."""
