"""Which components reinforce each other, and which interfere with each other?

A 1/16 fraction of the full factorial design of seven factors, of resolution IV: main effects are not confounded with
pairs, and pairs of components are estimated in seven groups of three. It includes the full recipe and the bare one.
"""

from ablate import Study

study = Study(design="fractional", preset="laptop", seeds=5, margin=0.5, options={"resolution": 4})
