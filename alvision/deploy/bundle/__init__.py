"""A bundle: a folder with a network and everything about it; written, checked, run.

`templates/` holds the text of its `predict.py`. Reading a bundle must not need torch, so only
`export`, `network` and `backends` may import it.
"""
