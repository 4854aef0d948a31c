import pytest

from alvision.config.checks import validate, validate_classes
from alvision.core.errors import UserError
from tests.support.configs import config


def test_the_defaults_are_valid():
    validate(config())


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("oracle__kind", "magic", "simulated, files"),
        ("target__metric", "foo", "macro_f1"),
        ("model__training", "both", "frozen, finetune"),
        ("budget__batch", 0, "at least 1"),
        ("budget__rounds", -1, "not be negative"),
        ("budget__initial", "some", "or all"),
        ("budget__initial", True, "or all"),
        ("budget__initial", -3, "or all"),
        ("audit__share", 1.0, "between 0 and 1"),
        ("model__dropout", 1.0, "below 1"),
        ("trainer__learning_rate", 0.0, "above 0"),
        ("data__fold", 5, "0, 1, 2, 3, 4 or seed"),
        ("data__fold", "often", "0, 1, 2, 3, 4 or seed"),
        ("data__fold", True, "0, 1, 2, 3, 4 or seed"),
        ("data__repeats", 0, "at least 1"),
        ("data__defect_share", 1.0, "between 0 and 1"),
        ("data__defect_share", 0.01, r"defects=\[\.\.\.\]"),
        ("cold_start", {"known_defects": 5}, r"defects=\[\.\.\.\]"),
        ("cold_start", {"known_defects": -1}, "at least 0"),
        ("trainer__devices", 0, "at least 1"),
        ("labels__url", "shared.db", "oracle=files"),
        ("cold_start", {"per_class": -1}, "at least 0"),
        ("cold_start", {"per_class": 2.5}, "whole number"),
        ("classes", ["ok"], "two names"),
        ("classes", ["ok", "ok"], "twice"),
        ("classes", ["ok", "Unsure"], "without a class"),
    ],
)
def test_a_value_out_of_range_is_named(key, value, told):
    with pytest.raises(UserError, match=told) as caught:
        validate(config(**{key: value}))
    assert key.split("__")[-1] in str(caught.value)


@pytest.mark.parametrize("kind", ["embeddings", "digits"])
def test_vectors_are_neither_finetuned_nor_shown(kind):
    with pytest.raises(UserError, match="frozen"):
        validate(config(data__kind=kind, model__training="finetune"))
    with pytest.raises(UserError, match="no images to show"):
        validate(config(data__kind=kind, oracle__kind="page"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data__defect_share", 0.01),
        ("cold_start", {"known_defects": 5}),
        ("oracle__confusion", {"ok": {"worn": 0.1}}),
        ("oracle__graded", True),
        ("oracle__seconds", 3.0),
    ],
)
def test_what_a_simulation_may_do_is_not_for_people(key, value):
    settings = {"defects": ["worn"], "classes": ["ok", "worn"], key: value}
    validate(config(**settings))
    with pytest.raises(UserError, match="simulated runs"):
        validate(config(oracle__kind="files", **settings))


def test_people_err_in_one_way():
    with pytest.raises(UserError, match="two ways"):
        validate(config(oracle__graded=True, oracle__confusion={"ok": {"worn": 0.1}}))


def test_a_defect_is_a_class():
    validate_classes(["ok", "worn"], ["worn"])
    with pytest.raises(UserError, match="rust"):
        validate_classes(["ok", "worn"], ["rust"])
