"""The MLflow tracking store. Only this folder imports MLflow.

May import `journal`, the tracker interface and the leaf modules.
"""
