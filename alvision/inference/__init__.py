"""The pass over the pool: one decode and one run of the trunk for any number of scores.

Engines, memory and the cache of features belong here. Choosing images and training do not.
"""
