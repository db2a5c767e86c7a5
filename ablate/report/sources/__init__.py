"""Readers: from a study, a table or an MLflow experiment to `StudyData`. They know no statistics."""
