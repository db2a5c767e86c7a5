"""Marks: numbers and tables of a study in other texts, which are checked and filled in; they use the sections."""
