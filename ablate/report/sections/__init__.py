"""Sections of the Markdown document: functions from an `Analysis` to text, which `document` puts in order."""
