import numpy as np
import pytest

from alvision.cli import main
from alvision.inference.feature_cache import FeatureCache


@pytest.fixture
def cache(cache_folder):
    made = FeatureCache(cache_folder / "features", {"image": {"size": 64}, "engine": ["cpu", "x"]})
    made.fill(["a", "b"], lambda names: [(names, np.ones((len(names), 8), np.float32))])
    return made


def test_list_verify_prune(cache, capsys):
    assert main(["cache", "list"]) == 0
    told = capsys.readouterr().out
    assert cache.folder.name[:12] in told and "64 px" in told and "cpu x" in told
    assert main(["cache", "verify"]) == 0
    part = next(cache.folder.glob("*.npy"))
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    assert main(["cache", "verify"]) == 1
    assert str(part.with_suffix(".json")) in capsys.readouterr().out.replace("\n", "")
    assert main(["cache", "prune"]) == 0
    assert main(["cache", "verify"]) == 0
    assert main(["cache", "prune", "keep=0"]) == 0
    assert not cache.folder.exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "list|verify|prune"),
        (["empty"], "list|verify|prune"),
        (["prune", "keep=much"], "keep=much"),
        (["list", "keep=1"], "keep="),
        (["verify", "seed=1"], "seed=1"),
    ],
)
def test_what_makes_no_sense_is_named(words, named, capsys):
    assert main(["cache", *words]) == 2
    assert named in capsys.readouterr().err


def test_a_bound_that_is_no_number_is_named(monkeypatch, capsys):
    monkeypatch.setenv("ALVISION_CACHE_GB", "lots")
    assert main(["cache", "list"]) == 2
    assert "ALVISION_CACHE_GB=lots" in capsys.readouterr().err
