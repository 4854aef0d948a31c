"""Images on disk, what is known about them, and who may be trained on."""
