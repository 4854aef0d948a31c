"""The final model: trained on every label that is not held out, calibrated on the monitor images."""
