import pytest

from alvision.config import RunConfig
from alvision.errors import UserError
from alvision.validation import validate, validate_classes


def config(**values):
    made = RunConfig()
    made.data.kind = "folder"
    for key, value in values.items():
        *parts, last = key.split("__")
        node = made
        for part in parts:
            node = getattr(node, part)
        setattr(node, last, value)
    return made


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
        ("data__fold", 5, "0, 1, 2, 3 or 4"),
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


def test_embeddings_cannot_be_finetuned():
    with pytest.raises(UserError, match="frozen"):
        validate(config(data__kind="embeddings", model__training="finetune"))


def test_a_defect_is_a_class():
    validate_classes(["ok", "worn"], ["worn"])
    with pytest.raises(UserError, match="rust"):
        validate_classes(["ok", "worn"], ["rust"])
