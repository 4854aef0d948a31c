"""Readers of data sets, one a kind: each lists rows, and `data.manifest` joins them.

A reader finds files and what is known of them. It decodes no image, splits nothing and opens no
label store.
"""
