import pytest

from alvision.run_folder.experiment_file import describe_run
from tests.support.configs import config


def made(anonymous=False, **values):
    choices = {"acquisition": "bald"}
    return describe_run(
        config(**values), choices, "alvision run", classes=["ok", "worn"], anonymous=anonymous
    )


@pytest.mark.parametrize("key", ["seed", "model__backbone", "budget__batch", "data__image__size"])
def test_what_a_run_is_changes_its_fingerprint(key):
    value = "other" if key == "model__backbone" else 99
    assert made(**{key: value})["fingerprint"] != made()["fingerprint"]
    assert made(**{key: value})["run"] != made()["run"]


@pytest.mark.parametrize(
    "key",
    ["budget__rounds", "data__root", "out", "labels__url", "target__value", "trainer__num_workers"],
)
def test_what_a_run_may_change_does_not(key):
    assert made(**{key: 7})["fingerprint"] == made()["fingerprint"]


def test_a_run_may_be_logged_elsewhere_from_now_on():
    chosen = {
        "_target_": "alvision.reporting.loggers.mlflow",
        "tracking_uri": "http://here",
    }
    assert made(logger=chosen)["fingerprint"] == made()["fingerprint"]


def test_how_long_the_cold_start_goes_on_is_what_a_run_is():
    assert made(cold_start={"per_class": 5})["fingerprint"]["cold_start.per_class"] == 5


def test_a_run_of_people_has_an_identity_of_its_own():
    assert made(anonymous=True)["run"] != made(anonymous=True)["run"]
    assert made()["run"] == made()["run"]


def test_a_key_that_came_later_counts_only_with_another_value_than_before():
    before = made()["fingerprint"]
    assert "data.image.fit" not in before and "data.image.roi" not in before
    changed = made(data__image__fit="letterbox", data__image__roi=[0, 0, 0.5, 1])["fingerprint"]
    assert changed["data.image.fit"] == "letterbox" and changed["data.image.roi"]
