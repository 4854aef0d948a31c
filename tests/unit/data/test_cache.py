from pathlib import Path

import pytest

from alvision.core.errors import UserError
from alvision.data.cache import cache_folder


def test_the_variable_wins_and_the_folder_is_made(monkeypatch, tmp_path):
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "a b" / "cache"))
    assert cache_folder() == tmp_path / "a b" / "cache"
    assert cache_folder().is_dir()


def test_the_platforms_folder_is_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("ALVISION_CACHE")
    monkeypatch.setattr(
        "alvision.data.cache.platformdirs.user_cache_path",
        lambda name, appauthor: tmp_path / name,
    )
    assert cache_folder() == tmp_path / "alvision"


def test_a_folder_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    Path(tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match="set ALVISION_CACHE"):
        cache_folder()
