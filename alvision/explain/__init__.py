"""Say why an image was chosen: in words, as a heatmap, by its nearest labelled images.

Here: what reads a model or a strategy's own numbers. Not here: choosing, training, or pages.
"""
