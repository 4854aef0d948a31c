import csv
import hashlib
import shutil
from collections import Counter

import numpy as np
import pytest

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.manifest import build
from alvision.data.sources import xsdd
from tests.conftest import paint
from tests.integration.project.test_scripts import script

make = script("list_xsdd")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small repository as published, with an exact duplicate, and its list."""
    root = tmp_path / "repository" / "X-SDD" / "datas"
    for seed, name in enumerate(["red iron/1.jpg", "red iron/2.jpg", "slag inclusion/1.png"]):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        paint(seed, "ok").save(path)
    shutil.copy(root / "red iron" / "1.jpg", root / "red iron" / "3.jpg")
    monkeypatch.setattr(xsdd, "LIST", tmp_path / "list.csv")
    xsdd.LIST.write_text(make.table(make.listing(root)))
    return tmp_path / "repository"


def test_images_are_known_by_content_whatever_they_are_called(published, tmp_path):
    (published / "figure.png").write_bytes(b"another picture of the repository")
    as_published = build(DataConfig(kind="xsdd", root=str(published)))
    assert as_published.ids == (
        "red_iron/1.jpg", "red_iron/2.jpg", "red_iron/3.jpg", "slag_inclusion/1.png"
    )  # fmt: skip
    assert as_published.truth == ("red_iron",) * 3 + ("slag_inclusion",)
    moved = tmp_path / "moved"
    moved.mkdir()
    for number, path in enumerate(published.rglob("*/*.[jp][pn]g")):
        shutil.copy(path, moved / f"{number}{path.suffix}")
    again = build(DataConfig(kind="xsdd", root=str(moved)))
    assert (again.ids, again.truth) == (as_published.ids, as_published.truth)
    assert again.paths[0].read_bytes() == as_published.paths[0].read_bytes()


def test_a_missing_or_changed_image_names_the_repository(published):
    changed = published / "X-SDD" / "datas" / "slag inclusion" / "1.png"
    changed.write_bytes(changed.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"1 of the 4 images.*slag_inclusion/1\.png.*adf8808"):
        build(DataConfig(kind="xsdd", root=str(published)))
    with pytest.raises(UserError, match=r"needs data\.root"):
        build(DataConfig(kind="xsdd"))


def test_the_shipped_list_is_what_its_script_makes_of_its_hashes():
    with xsdd.LIST.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    hashes = {row["id"]: row["sha256"] for row in rows}
    assert len(hashes) == 1360 and len(set(hashes.values())) == 1351
    assert make.table(hashes) == xsdd.LIST.read_text(encoding="utf-8")
    fold = {row["id"]: row["fold"] for row in rows}
    by_content = {}
    for id, content in hashes.items():
        by_content.setdefault(content, set()).add(fold[id])
    assert all(len(folds) == 1 for folds in by_content.values()), "duplicates stay together"
    counts = Counter((id.split("/")[0], fold[id]) for id in hashes)
    for label in {label for label, _ in counts}:
        sizes = [counts[label, str(number)] for number in range(5)]
        assert max(sizes) - min(sizes) <= 2
    assert {len(content) for content in hashes.values()} == {len(hashlib.sha256().hexdigest())}
    suffixes = Counter((id.split("/")[0], id[-4:]) for id in hashes if id.endswith(".png"))
    assert suffixes == {("finishing_roll_printing", ".png"): 142}, "the shortcut that is stated"


def test_a_fold_of_the_list_is_that_of_a_run():
    from alvision.data.manifest import Manifest
    from alvision.data.splits import group_keys, simulated_split

    with xsdd.LIST.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["id"])
    ids = tuple(row["id"] for row in rows)
    nothing = (None,) * len(ids)
    truth = tuple(id.split("/")[0] for id in ids)
    manifest = Manifest(xsdd.LIST.parent, ids, (xsdd.LIST,) * len(ids), nothing, nothing, truth)
    groups = group_keys(manifest, {row["id"]: row["sha256"] for row in rows})
    split = simulated_split(manifest, groups, seed=7, share=0.2, fold=3)
    listed = np.array([row["fold"] for row in rows]) == "3"
    assert set(split.held_out) == {id for id, held in zip(ids, listed, strict=True) if held}
