"""Measure novelty where the images that say what is usual are partly defective, beside PatchCore.

    python scripts/measure_mixed_start.py elpv [--seeds 12]
    python scripts/measure_mixed_start.py PARTS [--seeds 12]

PARTS is a folder of `scripts/make_parts.py PARTS --images 4000 --share 0.06`. Of 240 good and 120
defective images a seed draws 60 for the memory, 0, 10, 20 or 40 % of them defective and nobody
knows which, and 100 good and 60 defective others that are scored. Both methods have the same
network with the same weights, read at the same two stages, and a memory of 400 patches. PatchCore
is anomalib's own (`pip install alvision[bench]`): its pooling, its coreset, its score. The table
gives the AUROC of the images, mean over the seeds, what is lost against good images only, and the
difference of the two, with 95 % intervals paired by seed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from alvision.anomaly.memory import fold_of
from alvision.anomaly.robust import FOLDS, Sample, build, sample
from alvision.anomaly.scores import image_scores
from alvision.config.compose import compose
from alvision.core.seeding import derive
from alvision.data.images import load
from alvision.evaluation.intervals import mean_interval
from alvision.loop.build import build_learner, open_data
from alvision.models.levels import MultiLevel, Views
from alvision.models.normalised import normalise
from alvision.models.patches import stages_read

SHARES = (0.0, 0.1, 0.2, 0.4)
IMAGES, TRAINED, SCORED, MEMORY = (240, 120), 60, (100, 60), 400
GOOD = ("functional", "good")
PARTS = ["data=csv", "data.file=labels.csv", "classes=[good,scratch,pit,stain,chip,crack]"]


class Images:
    """The images, good ones first: their patches, and what anomalib reads of them."""

    def __init__(self, data: str) -> None:
        words = [f"experiment={data}"] if data == "elpv" else [*PARTS, f"data.root={data}"]
        config = compose([*words, "out=unused"]).config
        opened = open_data(config)
        truth = dict(zip(opened.manifest.ids, map(str, opened.manifest.truth), strict=True))
        rng = np.random.default_rng(0)
        good = rng.permutation([id for id, label in truth.items() if label in GOOD])
        bad = rng.permutation([id for id, label in truth.items() if label not in GOOD])
        ids = [*good[: IMAGES[0]].tolist(), *bad[: IMAGES[1]].tolist()]
        learner = build_learner(config, opened, progress=False)
        learner.read_novelty(None)
        learner.features.initial(ids)
        self.hashes = [opened.hashes[id] for id in ids]
        read = learner.features.patches.of(self.hashes)
        found = {name: own for names, own in read for name, own in zip(names, own, strict=True)}
        self.patches = torch.stack([found[name] for name in self.hashes]).float()
        self.patchcore, self.embeddings = embedded(learner, opened, ids)


def embedded(learner: Any, opened: Any, ids: list[str]) -> tuple[Any, torch.Tensor]:
    """Return anomalib's PatchCore with the learner's trunk, and its embeddings [N,P,D]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel
    backbone, spec = learner.backbone, learner.features.spec
    trunk = backbone.trunk
    while isinstance(trunk, MultiLevel | Views):
        trunk = trunk.trunk
    layers = stages_read(trunk, learner.model.backbone, spec.shape)
    model = PatchcoreModel(layers=layers, backbone=learner.model.backbone, pre_trained=False).eval()
    # timm cuts what comes after the last layer that is read: nothing else may be missing.
    reader = model.feature_extractor.feature_extractor
    reader.load_state_dict({name: trunk.state_dict()[name] for name in reader.state_dict()})
    paths = dict(zip(opened.manifest.ids, opened.manifest.paths, strict=True))
    found = []
    with torch.inference_mode():
        for id in ids:
            pixels = torch.from_numpy(load(paths[id], spec).copy())[None]
            read = model.feature_extractor(normalise(pixels, backbone.mean, backbone.std))
            pooled = {layer: model.feature_pooler(one) for layer, one in read.items()}
            found.append(model.reshape_embedding(model.generate_embedding(pooled)))
    return model, torch.stack(found)


def by_alvision(images: Images, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Score images by alvision's memory of others."""
    names = [images.hashes[row] for row in train]
    drawn: Sample = sample([(names, images.patches[train])], len(train))
    memory = build(drawn, MEMORY)
    folds = [fold_of(images.hashes[row], FOLDS) for row in test]
    return image_scores(memory.distances(images.patches[test], folds)).numpy()


def by_anomalib(images: Images, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Score images by anomalib's memory of others."""
    model = images.patchcore
    model.embedding_store = list(images.embeddings[train])
    with torch.inference_mode(), contextlib.redirect_stderr(io.StringIO()):
        model.subsample_embedding(MEMORY / (len(train) * images.embeddings.shape[1]))
        own = images.embeddings[test].flatten(0, 1)
        scores, places = model.nearest_neighbors(embedding=own, n_neighbors=1)
        laid = scores.reshape(len(test), -1), places.reshape(len(test), -1)
        return model.compute_anomaly_score(*laid, own).numpy()


METHODS = {"alvision": by_alvision, "anomalib": by_anomalib}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", help="elpv, or a folder of make_parts.py")
    parser.add_argument("--seeds", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = Images(options.data)
    found: dict[tuple[float, str], list[float]] = {}
    for seed in range(options.seeds):
        rng = np.random.default_rng(derive(seed, "mixed start"))
        good, bad = rng.permutation(IMAGES[0]), IMAGES[0] + rng.permutation(IMAGES[1])
        test = np.concatenate([good[-SCORED[0] :], bad[-SCORED[1] :]])
        defective = np.repeat([0, 1], SCORED)
        for share in SHARES:
            count = round(share * TRAINED)
            train = np.concatenate([good[: TRAINED - count], bad[:count]])
            torch.manual_seed(derive(seed, "anomalib") % 2**32)
            for name, of in METHODS.items():
                value = float(roc_auc_score(defective, of(images, train, test)))
                found.setdefault((share, name), []).append(value)
    print("| defective | alvision | lost | anomalib | lost | alvision minus anomalib |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for share in SHARES:
        cells = [f"{100 * share:.0f} %"]
        for name in METHODS:
            values = np.array(found[share, name])
            lost = np.array(found[0.0, name]) - values
            cells += [f"{values.mean():.3f}", _interval(lost) if share else ""]
        cells.append(_interval(np.subtract(*(found[share, name] for name in METHODS))))
        print(f"| {' | '.join(cells)} |")


def _interval(values: np.ndarray) -> str:
    by = mean_interval(values)
    return f"{by.value:+.3f} ({by.low:+.3f} to {by.high:+.3f})"


if __name__ == "__main__":
    main()
