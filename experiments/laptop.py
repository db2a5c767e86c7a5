"""Which of the notebook's seven components matter at the laptop scale?

Width 16, 10,000 training images, 16 epochs: a few minutes per run on two cores. Each component is switched off alone,
with five seeds.
"""

from ablate import Study

study = Study(design="leave-one-out", preset="laptop", seeds=5, margin=0.5)
