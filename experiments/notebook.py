"""Which of the notebook's seven components matter at its own scale?

Width 64, all 50,000 training images, 16 epochs: the published recipe, for a GPU. Like the notebook, it validates on the
test images; nothing is chosen by these curves. Five seeds, fixed before the runs.
"""

from ablate import Study

study = Study(design="leave-one-out", preset="notebook", seeds=5, margin=0.5, values={"validate_on": "test"})
