"""The fixtures of the training room's own tests."""

from tests.unit.training.conftest import embedded, learn, manifest, truth

__all__ = ["embedded", "learn", "manifest", "truth"]
