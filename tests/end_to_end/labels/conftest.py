"""The stores of the labels' own tests."""

from tests.unit.labels.conftest import open_store, postgres_server, store

__all__ = ["open_store", "postgres_server", "store"]
