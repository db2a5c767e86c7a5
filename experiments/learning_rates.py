"""How much does the peak learning rate of the recipe matter?

Adam with the one-cycle schedule at the laptop scale; the recipe's own value is 0.01. Ten seeds that no earlier run has
used.
"""

from ablate import Study

study = Study(preset="laptop", vary={"lr": [0.01, 0.001, 0.003, 0.03, 0.1]}, seeds=range(70, 80))
