import pytest

from alvision.config.schema import ModelConfig, TrainerConfig
from alvision.core.errors import UserError
from alvision.models.settings import check


@pytest.mark.parametrize("training", ["frozen", "finetune"])
def test_the_defaults_make_sense(training):
    check(ModelConfig(training=training), TrainerConfig(), embeddings=False)


@pytest.mark.parametrize(
    ("model", "trainer", "named"),
    [
        ({"training": "freeze"}, {}, "model.training=freeze"),
        ({"head": "mlp"}, {}, "model.head=mlp"),
        ({"hidden": -1}, {}, "model.hidden=-1"),
        ({"passes": 0}, {}, "model.passes=0"),
        ({"features": "deep"}, {}, "model.features=deep"),
        ({"views": "turned"}, {}, "model.views=turned"),
        ({"views": "flips", "training": "finetune"}, {}, "model.views=none"),
        ({"engine": "compile", "training": "finetune"}, {}, "model.engine=eager"),
        ({"drop_path": 0.1}, {}, "model.drop_path"),
        ({"drop_path": 1.0, "training": "finetune"}, {}, "model.drop_path=1.0"),
        ({"dropout": 1.0}, {}, "model.dropout=1.0"),
        ({}, {"validation_share": float("nan")}, "trainer.validation_share=nan"),
        ({}, {"head_steps": 0}, "trainer.head_steps=0"),
        ({}, {"learning_rate": 0.0}, "trainer.learning_rate=0.0"),
        ({"training": "finetune"}, {"batch_size": 1}, "trainer.batch_size=1"),
    ],
)
def test_what_makes_no_sense_is_named(model, trainer, named):
    with pytest.raises(UserError, match=named):
        check(ModelConfig(**model), TrainerConfig(**trainer), embeddings=False)


def test_an_ensemble_of_whole_networks_is_refused_with_what_to_do():
    check(ModelConfig(head="ensemble"), TrainerConfig(), embeddings=False)
    with pytest.raises(UserError, match=r"ensemble.*model\.training=frozen"):
        check(ModelConfig(head="ensemble", training="finetune"), TrainerConfig(), embeddings=False)


def test_embeddings_cannot_be_finetuned():
    with pytest.raises(UserError, match="frozen"):
        check(ModelConfig(training="finetune"), TrainerConfig(), embeddings=True)
