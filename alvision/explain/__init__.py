"""Explanations of a choice and of a prediction: reasons in words, neighbours, heatmaps.

They are shown to people and change nothing: no strategy and no metric may read them.
"""
