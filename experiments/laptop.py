"""Which of the notebook's seven components matter at the laptop scale?

Width 16, 10,000 training images, 16 epochs: a few minutes per run on two cores. Each component is switched off alone,
with five seeds. On a GPU, planned before its runs: `ablate sweep experiments/laptop.py --until-clear`, with analyses at
5, 10 and 20 seeds.
"""

from ablate import Study

study = Study(design="leave-one-out", preset="laptop", seeds=5, margin=0.5)
