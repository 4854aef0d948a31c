import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alvision.config.schema import DataConfig
from alvision.core.errors import UserError
from alvision.data.manifest import build
from alvision.data.sources import elpv
from alvision.data.sources.elpv import approximate_modules
from tests.support.parts import imported

RUNS = (60, 300, 180, 360, 714, 530, 72, 180, 48, 180)
MODULES = (1, 5, 3, 6, 12, 9, 1, 3, 1, 3)


def test_the_packaged_cells():
    imported("elpv_dataset")
    manifest = build(DataConfig(kind="elpv"))
    assert len(manifest) == 2624 and len(set(manifest.groups)) == 43
    assert manifest.ids[0] == "images/cell0001.png" and manifest.paths[0].is_file()
    assert Counter(manifest.truth) == {"functional": 1803, "defective": 821}
    assert manifest.groups[0] == "module-01" and manifest.groups[-1] == "module-44"
    certain = build(DataConfig(kind="elpv", defect_threshold=0.0))
    assert Counter(certain.truth) == {"functional": 1508, "defective": 1116}


@pytest.mark.slow
def test_the_module_photographed_twice_is_one_group():
    imported("elpv_dataset")
    manifest = build(DataConfig(kind="elpv"))
    first, again = elpv.PHOTOGRAPHED_TWICE

    def texture(cell):
        pixels = Image.open(manifest.path(f"images/cell{cell:04d}.png")).convert("L")
        small = np.asarray(pixels.resize((24, 24), Image.Resampling.BOX), dtype=float)
        small = small - small.mean(0) - small.mean(1, keepdims=True) + small.mean()
        return small / np.linalg.norm(small)

    def likeness(distance):
        cells = range(first, first + 40)
        return np.median([np.sum(texture(n) * texture(n + distance)) for n in cells])

    assert likeness(again - first) > 0.8
    assert max(likeness(again - first + 1), likeness(again - first - 1)) < 0.3
    group = dict(zip(manifest.ids, manifest.groups, strict=True))
    assert group[f"images/cell{first:04d}.png"] == group[f"images/cell{again:04d}.png"]


def test_modules_are_those_of_the_known_runs():
    kinds = [kind for n, kind in zip(RUNS, itertools.cycle(["mono", "poly"])) for _ in range(n)]
    runs = [(run, i * MODULES[run] // n) for run, n in enumerate(RUNS) for i in range(n)]
    numbers = {module: f"module-{i + 1:02d}" for i, module in enumerate(dict.fromkeys(runs))}
    assert approximate_modules(kinds) == [numbers[module] for module in runs]


@given(st.lists(st.tuples(st.sampled_from("mp"), st.integers(1, 150)), max_size=5))
def test_modules_are_whole_runs_of_about_sixty_cells(runs):
    kinds = [kind for kind, length in runs for _ in range(length)]
    names = approximate_modules(kinds)
    assert names == sorted(names)
    for name in set(names):
        cells = [kind for kind, own in zip(kinds, names, strict=True) if own == name]
        assert len(set(cells)) == 1 and len(cells) <= 90


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(elpv.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install alvision\[demo\]"):
        build(DataConfig(kind="elpv"))


def test_bad_thresholds_and_tables_are_refused(tmp_path):
    with pytest.raises(UserError, match="defect_threshold=1"):
        build(DataConfig(kind="elpv", defect_threshold=1.0))
    with pytest.raises(UserError, match="not ELPV's table"):
        build(DataConfig(kind="elpv", root=str(tmp_path)))
    (tmp_path / "labels.csv").write_text("images/a.png much mono\n")
    with pytest.raises(UserError, match="not ELPV's table"):
        build(DataConfig(kind="elpv", root=str(tmp_path)))
