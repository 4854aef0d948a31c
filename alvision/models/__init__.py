"""Networks as plain torch modules: trunks by name, several depths and views, heads.

Nothing here trains: Lightning, optimisers and checkpoints are in `training/`.
"""
