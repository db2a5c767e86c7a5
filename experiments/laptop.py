"""Which of the notebook's seven components matter at the laptop scale?

Width 16, 10,000 training images, 16 epochs: a few minutes a run on two cores. Each component is switched off, with
everything else as it is, under five seeds.
"""

from ablate import Study

study = Study(design="leave-one-out", preset="laptop", seeds=5, margin=0.5)
