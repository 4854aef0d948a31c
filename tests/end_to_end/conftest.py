"""What the tests of the whole program share with those that join rooms."""

from tests.integration.conftest import run

__all__ = ["run"]
