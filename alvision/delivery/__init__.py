"""For shops that run the model: train it, promise what it catches, hand it over."""
