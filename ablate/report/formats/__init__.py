"""Output formats: Markdown text, HTML, LaTeX, and numbers as text."""
