import pytest

from tests.support.object_store import serving
from tests.support.parts import imported


@pytest.fixture
def store(monkeypatch):
    """Serve an empty bucket, `s3://pool`, on loopback."""
    imported("obstore")
    with serving(monkeypatch) as store:
        yield store
