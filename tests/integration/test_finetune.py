import numpy as np
import pytest
from sklearn.metrics import f1_score

from alvision.config.schema import DataConfig, ImageConfig, ModelConfig, TrainerConfig
from alvision.data.hashes import content_hashes
from alvision.data.manifest import build
from alvision.data.splits import group_keys, simulated_split
from alvision.training import Learner
from tests.support.parts import imported


@pytest.mark.slow
def test_a_small_cnn_learns_real_defects_from_nothing():
    imported("elpv_dataset")
    data = DataConfig(kind="elpv", image=ImageConfig(size=64))
    manifest = build(data)
    hashes = content_hashes(manifest)
    groups = group_keys(manifest, hashes)
    truth = dict(zip(manifest.ids, manifest.truth, strict=True))
    model = ModelConfig(backbone="timm:test_resnet", weights=None, training="finetune")
    trainer = TrainerConfig(
        accelerator="cpu", precision="32-true", learning_rate=0.002, epochs=12, num_workers=1
    )
    for seed in range(3):
        split = simulated_split(manifest, groups, seed=seed, share=0.2, fold=None)
        chosen = np.random.default_rng(seed).permutation(split.pool)[:1000]
        learner = Learner(
            manifest, hashes, ("functional", "defective"), data, model, trainer, seed, groups,
            pool=split.pool,
        )  # fmt: skip
        fitted = learner.fit({str(id): truth[id] for id in chosen}, round=0)
        said = learner.predict(fitted, split.held_out)
        expected = [truth[id] for id in said.ids]
        predicted = np.array(said.classes)[said.values.argmax(1)]
        reached, majority = (
            f1_score(expected, guess, average="macro", zero_division=0)
            for guess in (predicted, ["functional"] * len(expected))
        )
        assert reached >= majority + 0.15, f"seed {seed}: {reached:.3f} against {majority:.3f}"
