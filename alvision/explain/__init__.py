"""Why an image was chosen, in words."""
