"""Which of three components matter for the classification of handwritten digits?

A small and fast study on the digits that scikit-learn includes: an example of a report, not a result for CIFAR-10.
"""

from ablate import Study

study = Study(preset="demo", factors=["augment", "cutout", "weight_decay"], seeds=12, margin=2.0)
