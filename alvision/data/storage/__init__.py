"""Pools in object storage: read by address, listed in parallel, kept on this computer for a while.

What reads photographs takes a `StoredPath` where it takes a path. Nothing here knows what a
photograph is, and nothing writes to a pool.
"""
