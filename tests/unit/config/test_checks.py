import dataclasses

import pytest

from alvision.config.checks import validate, validate_classes, validate_training
from alvision.config.limits import LIMIT, Choice, Range
from alvision.config.schema import ModelConfig, RunConfig, TrainerConfig
from alvision.core.errors import UserError
from tests.support.configs import config


def test_the_defaults_are_valid():
    validate(config())


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("oracle__kind", "magic", "simulated, files"),
        ("target__metric", "foo", "macro_f1"),
        ("model__training", "both", "frozen, finetune, auto"),
        ("budget__batch", 0, "at least 1"),
        ("budget__rounds", -1, "at least 0"),
        ("budget__initial", "some", "or all"),
        ("budget__initial", True, "or all"),
        ("budget__initial", -3, "or all"),
        ("audit__share", 1.0, "above 0 and below 1"),
        ("model__dropout", 1.0, "below 1"),
        ("trainer__learning_rate", 0.0, "above 0"),
        ("data__fold", 5, "0, 1, 2, 3, 4 or seed"),
        ("data__fold", "often", "0, 1, 2, 3, 4 or seed"),
        ("data__fold", True, "0, 1, 2, 3, 4 or seed"),
        ("data__repeats", 0, "at least 1"),
        ("data__defect_share", 1.0, "above 0 and below 1"),
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


@pytest.mark.parametrize(
    ("key", "value"), [("model__views", "flips_and_turns"), ("trainer__augment", "full")]
)
def test_strips_are_not_turned_by_a_quarter(key, value):
    with pytest.raises(UserError, match=r"data\.image\.size=\[32, 128\] is not square; set"):
        validate(config(data__image__size=[32, 128], **{key: value}))
    validate(config(data__image__size=[64, 64], **{key: value}))


def test_a_defect_is_a_class():
    validate_classes(["ok", "worn"], ["worn"])
    with pytest.raises(UserError, match="rust"):
        validate_classes(["ok", "worn"], ["rust"])


@pytest.mark.parametrize("training", ["frozen", "finetune"])
def test_the_defaults_make_sense_for_whoever_trains_without_a_run(training):
    validate_training(ModelConfig(training=training), TrainerConfig(), images=True)


@pytest.mark.parametrize(
    ("model", "trainer", "named"),
    [
        ({"training": "freeze"}, {}, "model.training=freeze"),
        ({"head": "mlp"}, {}, "model.head=mlp"),
        ({"hidden": -1}, {}, "model.hidden=-1"),
        ({"passes": 0}, {}, "model.passes=0"),
        ({"features": "deep"}, {}, "model.features=deep"),
        ({"views": "turned"}, {}, "model.views=turned"),
        ({"engine": "compile", "training": "finetune"}, {}, "model.engine=eager"),
        ({"drop_path": 0.1}, {}, "model.drop_path"),
        ({"semi": "entropy", "training": "finetune"}, {}, "model.semi is for a head on frozen"),
        ({"semi": "mixup"}, {}, "model.semi"),
        (
            {"drop_path": 1.0, "training": "finetune"},
            {},
            "model.drop_path=1.0 must be",
        ),
        ({"dropout": 1.0}, {}, "model.dropout=1.0"),
        ({}, {"validation_share": float("nan")}, "trainer.validation_share=nan"),
        ({}, {"head_steps": 0}, "trainer.head_steps=0"),
        ({}, {"gradient_clip": 0.0}, "trainer.gradient_clip=0.0"),
        ({}, {"accumulate": 0}, "trainer.accumulate=0"),
        ({}, {"learning_rate": 0.0}, "trainer.learning_rate=0.0"),
        ({"training": "finetune"}, {"batch_size": 1}, "trainer.batch_size=1"),
    ],
)
def test_what_makes_no_sense_is_named(model, trainer, named):
    with pytest.raises(UserError, match=named):
        validate_training(ModelConfig(**model), TrainerConfig(**trainer), images=True)


def test_an_ensemble_of_whole_networks_is_refused_with_what_to_do():
    validate_training(ModelConfig(head="ensemble"), TrainerConfig(), images=True)
    with pytest.raises(UserError, match=r"ensemble.*model\.training=frozen"):
        validate_training(
            ModelConfig(head="ensemble", training="finetune"), TrainerConfig(), images=True
        )


def test_embeddings_cannot_be_finetuned():
    with pytest.raises(UserError, match="frozen"):
        validate_training(ModelConfig(training="finetune"), TrainerConfig(), images=False)


def fields_of(part, prefix=""):
    """Yield every field of the schema with its dotted key."""
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            yield from fields_of(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field


FREE = {"data.defect_threshold", "target.value"}
"""Numbers without a limit on their field: `validate` or the data's reader knows better."""


def test_every_number_of_the_schema_says_its_limits():
    for key, field in fields_of(RunConfig()):
        if field.type.removesuffix(" | None") in ("int", "float") and key not in FREE:
            assert isinstance(field.metadata[LIMIT], Range), key


def test_the_docstring_of_a_choice_names_every_choice():
    from alvision.cli.help import meanings

    texts = meanings(RunConfig)
    for key, field in fields_of(RunConfig()):
        limit = field.metadata.get(LIMIT)
        if isinstance(limit, Choice):
            assert all(name in texts[key] for name in limit.names), key


@pytest.mark.parametrize(
    ("share", "allowed"), [(0.0, True), (0.2, True), (1.0, False), (-0.1, False)]
)
def test_no_share_for_validation_is_no_early_stopping(share, allowed):
    trainer = TrainerConfig(validation_share=share)
    for check in (
        lambda: validate(config(trainer__validation_share=share)),
        lambda: validate_training(ModelConfig(), trainer, images=True),
    ):
        if allowed:
            check()
        else:
            message = f"trainer.validation_share={share} must be at least 0 and below 1"
            with pytest.raises(UserError, match=message):
                check()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_is_finite(value):
    with pytest.raises(UserError, match=r"trainer\.learning_rate"):
        validate(config(trainer__learning_rate=value))


def test_tiles_need_photographs_and_a_trunk_that_does_not_train():
    with pytest.raises(UserError, match="data=digits has no photographs to cut"):
        validate(config(data__kind="digits", data__image__tiles="auto"))
    with pytest.raises(UserError, match=r"data\.image\.tiles set model\.training=frozen"):
        validate(config(data__image__tiles=9, model__training="finetune"))
    with pytest.raises(UserError, match=r"model\.training=frozen"):
        validate_training(
            ModelConfig(training="finetune"), TrainerConfig(), images=True, tiles=True
        )
    validate(config(data__image__tiles="auto"))


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("trainer__loss", {"_target_": "my.loss"}, "two losses"),
        ("model__head", "ensemble", "for one head"),
    ],
)
def test_labels_are_weighed_by_one_loss(key, value, told):
    with pytest.raises(UserError, match=told):
        validate(config(labels__noise="weigh", **{key: value}))
    validate(config(**{key: value}))
    validate(config(labels__noise="weigh"))


def test_what_a_page_shows_of_a_table_is_checked():
    for kind in ("text", "embeddings"):
        validate(config(data__kind=kind, data__text_column="text", oracle__kind="page"))
    with pytest.raises(UserError, match=r"name data\.text_column or data\.image_column"):
        validate(config(data__kind="embeddings", oracle__kind="page"))
    with pytest.raises(UserError, match=r"data\.text_column is for data=text"):
        validate(config(data__kind="folder", data__text_column="text"))
    with pytest.raises(UserError, match=r"data\.text_model is for data=text"):
        validate(config(data__kind="embeddings", data__text_model="model"))
