"""From labels to a model on the line: train it, bundle it, set its threshold, promote it.

What runs beside the machine is in `watch/`. No room below may import the loop.
"""
