"""Readers of data sets, one a kind: each lists rows, and `alvision.data.manifest` joins them."""
