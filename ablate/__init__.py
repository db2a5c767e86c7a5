"""Which parts of a training recipe matter, by how much, and how sure can we be."""

__version__ = "0.1.0"
