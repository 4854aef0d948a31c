import csv
import json

import numpy as np
import pytest

from alvision.config.schema import AuditConfig, DataConfig, OracleConfig, RunConfig
from alvision.core.errors import UserError
from alvision.data.cache import cache_folder
from alvision.data.text_features import LEAST, lsa
from alvision.dataset.dataset import DataSet

URGENT = ["oil leaks from the pump", "the pump is leaking oil", "smoke from the oven, line stopped"]
ROUTINE = ["please order new filters", "order filters for May", "yearly inspection is due in May"]
TEXTS = [f"{text} {k}" for k in range(4) for text in (*URGENT, *ROUTINE)]


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Return a function that opens a table of texts as a data set; its cache is its own."""
    monkeypatch.setenv("ALVISION_CACHE", str(tmp_path / "cache"))

    def open_(texts, labels=None, seed=0, **settings):
        with (tmp_path / "t.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text", "label"])
            for k, text in enumerate(texts):
                writer.writerow([f"{k:03d}", text, (labels or ["a", "b"] * len(texts))[k]])
        data = DataConfig(
            kind="text", path_column="id", text_column="text", file=str(tmp_path / "t.csv"),
            **settings,
        )  # fmt: skip
        return DataSet.open(
            RunConfig(
                data=data, seed=seed, out=str(tmp_path / "run"), audit=AuditConfig(0.25),
                oracle=OracleConfig(), acquisition={}, cold_start={},
            )
        )  # fmt: skip

    return open_


def test_texts_about_one_thing_are_near_each_other():
    found = lsa(TEXTS, [*URGENT[:2], *ROUTINE[:2]])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    near = found @ found.T
    assert near[0, 1] > near[0, 2] and near[2, 3] > near[1, 3]


def test_languages_without_spaces_have_words_too():
    texts = ["机器漏油了", "机器又漏油", "请订购过滤器", "订购新过滤器"] * 3
    near = (found := lsa(texts, texts[:4])) @ found.T
    assert near[0, 1] > near[0, 2] and near[2, 3] > near[1, 3]


@pytest.mark.parametrize(
    ("texts", "message"), [(TEXTS[: LEAST - 1], "too few"), (["?!"] * LEAST, "no words")]
)
def test_what_cannot_be_learned_from_is_named(texts, message):
    with pytest.raises(UserError, match=message):
        lsa(texts, texts)


def test_the_same_texts_have_the_same_features_from_the_cache_or_anew(opened):
    first = opened(TEXTS).manifest
    assert first.features.shape == (24, first.features.shape[1]) and first.features_by
    for path in (cache_folder() / "text").iterdir():
        again = opened(TEXTS).manifest  # from the cache
        path.unlink()
    anew = opened(TEXTS).manifest
    np.testing.assert_array_equal(first.features, again.features)
    np.testing.assert_array_equal(first.features, anew.features)
    assert first.features_by == again.features_by == anew.features_by


def test_held_out_texts_take_no_part(opened):
    data = opened(TEXTS)
    held_out = [data.manifest.row(id) for id in data.split.held_out]
    pool = [data.manifest.row(id) for id in data.split.pool]
    changed = [f"never seen word{k}" if k in held_out else text for k, text in enumerate(TEXTS)]
    other = opened(changed)
    assert other.split.held_out == data.split.held_out
    assert other.manifest.features_by == data.manifest.features_by
    np.testing.assert_allclose(
        other.manifest.features[pool], data.manifest.features[pool], atol=1e-6
    )


def test_another_pool_is_another_set_of_features(opened):
    data = opened(TEXTS)
    taken = data.manifest.row(data.split.pool[0])
    changed = [text + " again" if k == taken else text for k, text in enumerate(TEXTS)]
    assert opened(changed).manifest.features_by != data.manifest.features_by


def test_exact_copies_are_in_one_group(opened):
    data = opened([*TEXTS, TEXTS[0]])
    assert data.groups[0] == data.groups[24] != data.groups[1]


def test_a_folder_that_holds_no_model_is_named(opened, tmp_path):
    with pytest.raises(UserError, match=r"modules\.json"):
        opened(TEXTS, text_model=str(tmp_path))
    (tmp_path / "modules.json").write_text(json.dumps([]))
    with pytest.raises(UserError, match=r"sentence-transformers|cannot be read"):
        opened(TEXTS, text_model=str(tmp_path))
