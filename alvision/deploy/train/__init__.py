"""The final model: trained on every label that is not held out, then calibrated."""
