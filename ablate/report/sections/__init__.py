"""Sections of the Markdown report: functions from an `Analysis` to text. `document` puts them in order."""
