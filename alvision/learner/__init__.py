"""Fit, predict, infer: the only caller of Lightning's Trainer."""

from alvision.learner.learner import Learner

__all__ = ["Learner"]
