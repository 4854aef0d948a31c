"""What a model is worth: metrics of its predictions, learning curves, intervals. No torch here."""
