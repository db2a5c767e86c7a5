"""Which of the notebook's seven components matter at the laptop scale?

Width 16, 10,000 training images, 16 epochs: two minutes of one core per run, or a second of a GPU. Each component is
switched off alone. Fifty seeds, fixed before the runs: with the standard deviations of an earlier study of five seeds
(0.4 to 0.7 points), 30 to 40 seeds decide on a margin of 0.5 points. No earlier run has used these seeds. On a laptop,
`--seeds 5` answers for the large effects in two hours.
"""

from ablate import Study

study = Study(design="leave-one-out", preset="laptop", seeds=range(20, 70), margin=0.5)
