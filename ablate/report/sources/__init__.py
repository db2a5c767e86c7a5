"""Readers: from a study, a table or an MLflow experiment to the data of a report."""
