"""Figures of a report: which ones there are and the data they are drawn from. `ablate.figures` draws them."""
