"""The final model: trained on every label that is not held out, then calibrated.

It is calibrated on monitor images, never on sealed ones. Active learning is in `loop/`, not here.
"""
