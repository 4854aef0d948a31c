"""Fit, predict and infer: what the loop asks of deep learning.

This room alone calls Lightning's Trainer. Networks are in `models/`, and the pass over the pool is
in `inference/`, not here.
"""

from alvision.training.learner import Learner

__all__ = ["Learner"]
