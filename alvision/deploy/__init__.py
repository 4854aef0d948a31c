"""From labels to a model on the line: train it, bundle it, set its threshold, promote it.

What runs beside the machine is in `watch/`, and pages about it are in `reporting/`, not here.
"""
