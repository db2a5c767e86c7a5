"""One module per source of existing runs: each returns a `RunTable` and knows no metric, seed or statistics."""
