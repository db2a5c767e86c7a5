"""A study file, under a name by which child processes can import it although another module has the file's name.

Its path is in the environment variable ABLATE_STUDY_MODULE; the file is executed in this module.
"""

import os
import sys

from ablate.workloads.custom.source_loader import SourceLoader

if "ABLATE_STUDY_MODULE" in os.environ:
    __file__ = os.environ["ABLATE_STUDY_MODULE"]
    SourceLoader(__name__, __file__).exec_module(sys.modules[__name__])
