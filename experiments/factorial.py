"""Which components work together, and which stand in each other's way?

A sixteenth of the full factorial of seven, of resolution IV: main effects are clear of pairs, and pairs of components
are estimated in seven groups of three. It holds the full recipe and the bare one.
"""

from ablate import Study

study = Study(design="fractional", preset="laptop", seeds=5, margin=0.5, options={"resolution": 4})
