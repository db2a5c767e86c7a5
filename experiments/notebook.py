"""Which of the notebook's seven components matter at its own scale?

Width 64, all of CIFAR-10, 16 epochs: the published recipe, for a GPU.
"""

from ablate import Study

study = Study(design="leave-one-out", preset="notebook", seeds=5, margin=0.5)
