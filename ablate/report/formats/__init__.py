"""Output formats: Markdown, HTML, LaTeX, CSV, and numbers as text."""
