"""Which of the seven components matter for the classification of handwritten digits?

A small and fast study on the digits that scikit-learn includes: an example of a report, not a result for CIFAR-10.
"""

from ablate import Study

study = Study(preset="demo", seeds=3, margin=1.0)
