import pytest

from alvision.deploy.train.good_only import only_good


@pytest.mark.parametrize(
    ("labels", "defects", "expected"),
    [
        (["ok", "ok"], ["worn", "torn"], True),
        (["ok", "worn"], ["worn"], False),
        (["worn", "worn"], ["worn"], False),
        (["ok", "ok"], [], False),
        (["ok", "ok"], None, False),
        (["ok", "fine"], ["worn"], False),
    ],
)
def test_good_parts_of_one_class_alone_are_remembered(labels, defects, expected):
    assert only_good(labels, defects) is expected
