"""The MLflow tracking store. The only importer of MLflow.

May import `journal`, the tracker contract and the leaf modules.
"""
