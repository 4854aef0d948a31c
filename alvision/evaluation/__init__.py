"""What a model is worth: metrics of its predictions, learning curves, intervals.

Pure functions of numbers and labels. No files except the predictions' own, no torch, and no
comparison of strategies, which is in `study/`.
"""
