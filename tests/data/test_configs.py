from pathlib import Path

import pytest
from omegaconf import OmegaConf

from alvision import CONFIG_DIR
from alvision.config import DataConfig, RunConfig
from alvision.data.manifest import SOURCES, build
from tests.conftest import paint


def read(path: Path):
    return OmegaConf.load(path)


def test_every_kind_has_a_file_and_every_file_a_kind():
    files = sorted((CONFIG_DIR / "data").glob("*.yaml"))
    assert sorted(path.stem for path in files) == sorted(SOURCES)
    for path in files:
        cfg = OmegaConf.merge(OmegaConf.structured(DataConfig), read(path))
        assert cfg.kind == path.stem
        assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", ["elpv", "folder"])
def test_experiments_fit_the_schema(name):
    path = CONFIG_DIR / "experiment" / f"{name}.yaml"
    assert path.read_text(encoding="utf-8").startswith("# @package _global_\n")
    experiment = read(path)
    (override,) = experiment.pop("defaults")
    assert (CONFIG_DIR / "data" / f"{override['override /data']}.yaml").is_file()
    cfg = OmegaConf.merge(OmegaConf.structured(RunConfig), experiment)
    assert cfg.name == name
    assert set(cfg.defects or []) <= set(cfg.classes or [])


def test_a_composed_configuration_is_read(tmp_path):
    for label in ("ok", "worn"):
        (tmp_path / label).mkdir()
        paint(0, label).save(tmp_path / label / "1.png")
    cfg = OmegaConf.merge(
        OmegaConf.structured(DataConfig),
        read(CONFIG_DIR / "data" / "folder.yaml"),
        {"root": str(tmp_path), "image": {"crop": [0, 0, 1, 1]}},
    )
    assert build(cfg).truth == ("ok", "worn")
