import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from alvision import CONFIG_DIR
from alvision.config.schema import schema
from alvision.data.manifest import SOURCES, build
from tests.conftest import paint


def read(path: Path):
    return OmegaConf.load(path)


def test_every_kind_has_a_file_and_every_file_a_kind():
    files = sorted((CONFIG_DIR / "data").glob("*.yaml"))
    assert sorted(path.stem for path in files) == sorted(SOURCES)
    for path in files:
        cfg = OmegaConf.merge(schema().data, read(path))
        assert cfg.kind == path.stem
        assert path.read_text(encoding="utf-8").startswith("# ")


EXPERIMENTS = sorted((CONFIG_DIR / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_says_what_it_measures_and_how_to_run_it(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# @package _global_\n# ")
    head = text.partition("\ndefaults:")[0]
    assert f"alvision run experiment={path.stem if path.stem != 'folder' else 'my_parts'}" in head
    assert re.search(r"\b(minutes|seconds)\b", head), "the expected time"
    experiment = read(path)
    del experiment["defaults"]
    cfg = OmegaConf.merge(schema(), experiment)
    assert cfg.name == path.stem
    assert set(cfg.defects or []) <= set(cfg.classes or cfg.defects or [])


def test_a_composed_configuration_is_read(tmp_path):
    for label in ("ok", "worn"):
        (tmp_path / label).mkdir()
        paint(0, label).save(tmp_path / label / "1.png")
    cfg = OmegaConf.merge(
        schema().data,
        read(CONFIG_DIR / "data" / "folder.yaml"),
        {"root": str(tmp_path), "image": {"crop": [0, 0, 1, 1]}},
    )
    assert build(cfg).truth == ("ok", "worn")
