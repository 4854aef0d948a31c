"""Fit, predict, infer: the only caller of Lightning's Trainer."""

from alvision.training.learner import Learner

__all__ = ["Learner"]
