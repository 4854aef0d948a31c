import numpy as np
import pytest
from PIL import Image

from alvision.config.schema import DataConfig
from alvision.data.checks.views import PATTERNS, look_for_views
from alvision.data.image_spec import ImageSpec
from alvision.data.manifest import build
from tests.conftest import paint

SPEC = ImageSpec(size=32)


@pytest.fixture
def views(tmp_path):
    """Return 6 parts in two folders, each photographed twice, and one part photographed once."""
    for number in range(6):
        folder = tmp_path / f"shift{number % 2}"
        folder.mkdir(exist_ok=True)
        part = np.asarray(paint(number, "worn"))
        for view in range(2):
            lit = np.clip(part + 8.0 * view, 0, 255).astype(np.uint8)
            Image.fromarray(lit).save(folder / f"part{number}_{view}.png")
    paint(99, "ok").save(tmp_path / "shift0" / "lone9_0.png")
    return build(DataConfig(kind="folder", root=str(tmp_path)))


def test_views_of_one_part_are_found_and_the_rules_tried(views):
    found = look_for_views(views, SPEC)
    assert (found.looked, found.images, found.alike) == (13, 13, 12)
    assert all(a[:-5] == b[:-5] for a, b in found.pairs) and len(found.pairs) == 3
    best, *others = found.rules
    assert (best.group_by, best.pattern) == ("pattern", PATTERNS["last_separator"])
    assert (best.groups, best.together) == (7, 12)
    assert [(rule.name, rule.groups, rule.together) for rule in others] == [("parent", 2, 12)]


def test_where_nothing_looks_alike_no_rule_is_offered(tmp_path):
    for number in range(8):
        paint(number, "ok").save(tmp_path / f"{number}.png")
    found = look_for_views(build(DataConfig(kind="folder", root=str(tmp_path))), SPEC)
    assert (found.alike, found.pairs, found.rules) == (0, (), ())
