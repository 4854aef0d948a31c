import shutil

import pytest

from alvision.core.errors import UserError
from alvision.data.hashes import file_hash
from alvision.dataset.sealed_images import sealed_among
from alvision.labels.location import write_audit
from tests.conftest import paint


@pytest.fixture
def photos(tmp_path):
    """Return six photographs; the record beside them seals b.png and the bytes of c.png."""
    root = tmp_path / "photos"
    (root / "day 2").mkdir(parents=True)
    for i, name in enumerate(["a.png", "b.png", "c.png", "d.png", "day 2/e.png", "day 2/f.png"]):
        paint(i, "ok").save(root / name)
    (tmp_path / "photos.alvision").mkdir()
    write_audit(
        tmp_path / "photos.alvision" / "audit.csv",
        {
            "image:a.png": "pool",
            "image:b.png": "seal",
            "image:d.png": "monitor",
            "image:day 2/e.png": "seal",
            f"sha256:{file_hash(root / 'c.png')}": "seal",
        },
    )
    return root


def names(root, found):
    return sorted(path.relative_to(root).as_posix() for path in found)


def test_names_and_bytes_tell_which_are_sealed(photos):
    shutil.move(photos / "c.png", photos / "renamed.png")
    found = sealed_among(sorted(photos.rglob("*.png")), photos)
    assert names(photos, found) == ["b.png", "day 2/e.png", "renamed.png"]


def test_a_folder_below_the_labelled_one_has_the_same_sealed_images(photos):
    inner = photos / "day 2"
    assert names(inner, sealed_among(sorted(inner.glob("*.png")), inner)) == ["e.png"]


def test_a_folder_that_nobody_labels_has_none(photos, tmp_path):
    own = tmp_path / "incoming"
    shutil.copytree(photos, own)
    assert sealed_among(sorted(own.rglob("*.png")), own) == set()


def test_predict_leaves_them_out_and_says_so(photos, capsys):
    from alvision.cli.predict import _unsealed

    kept = _unsealed(sorted(photos.rglob("*.png")), photos)
    assert names(photos, kept) == ["a.png", "d.png", "day 2/f.png"]
    assert "left out: 3 sealed test images" in capsys.readouterr().out
    with pytest.raises(UserError, match="holds sealed test images only"):
        _unsealed([photos / "b.png"], photos)
