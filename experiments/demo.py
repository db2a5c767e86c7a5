"""Which of the seven components matter for telling handwritten digits apart?

Small and fast, on the digits that scikit-learn ships: it shows what a study looks like, not what CIFAR-10 needs.
"""

from ablate import Study

study = Study(preset="demo", seeds=3, margin=1.0)
