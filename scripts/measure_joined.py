"""Measure novelty and classifier as one score, against each of the two, as labels come in.

    python scripts/measure_joined.py elpv_rare [--seeds 12]
    python scripts/measure_joined.py PARTS [--seeds 12]

PARTS is a folder of `scripts/make_parts.py PARTS --images 4000 --share 0.06`; a seed's pool
is 1,500 of its good parts and 5 defective ones (1 in 300), and 600 good and 90 defective others are
held out. Labels are asked for as in a run with `cold_start=patch_novelty acquisition=rare`.
A logistic regression on the pooled features stands for the head, which takes seconds to train. The
table gives the AUROC and the average precision of the held-out images, mean over the seeds, and the
joined score's difference to the better of the two with a 95 % interval, paired by seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from alvision.acquisition import mixture, novel, random_sampling, rare
from alvision.anomaly.joined import join
from alvision.config.compose import compose
from alvision.data.splits import Split
from alvision.evaluation.intervals import mean_interval
from alvision.inference.predictions import Predictions
from alvision.loop.build import build_learner, open_data

COUNTS = (0, 5, 10, 20, 50, 100, 200)
BATCH = 20
POOL, HELD_OUT = (1500, 5), (600, 90)
"""Good and defective parts of a seed."""
GOOD = ("functional", "good")
CLASSES = "[good,scratch,pit,stain,chip,crack]"
WAYS = ("classifier", "novelty", "joined")
METRICS = {"AUROC": roc_auc_score, "average precision": average_precision_score}
START = {"novel": novel, "random": random_sampling}
Scores = dict[str, np.ndarray]


class Images:
    """The images of a seed: features, novelty and truth, its pool and what is held out."""

    def __init__(self, data: str, seed: int) -> None:
        parts = ["data=csv", f"data.root={data}", "data.file=labels.csv", f"classes={CLASSES}"]
        words = [f"experiment={data}"] if data == "elpv_rare" else parts
        config = compose([*words, f"seed={seed}", "out=unused"]).config
        opened = open_data(config)
        truth = dict(zip(opened.manifest.ids, map(str, opened.manifest.truth), strict=True))
        if data != "elpv_rare":
            vars(opened)["split"] = drawn(truth, seed)
        pool, held = opened.split.pool, opened.split.held_out
        learner = build_learner(config, opened, progress=False)
        learner.read_novelty(None)
        found = learner.infer(None, [*pool, *held], needs={"features", "novelty"}, round=0)
        assert found.features is not None and found.novelty is not None
        features = found.features.numpy()
        self.pool, self.held_out = range(len(pool)), range(len(pool), len(found))
        self.features = (features - features[: len(pool)].mean(0)) / features[: len(pool)].std()
        self.novelty = found.novelty.double().numpy()
        self.bad = np.array([truth[id] not in GOOD for id in found.ids])

    def rows(self, rows: list[int], said: np.ndarray) -> Predictions:
        """Return predictions of some rows, with the log-odds that a classifier gives them."""
        odds = torch.from_numpy(said)
        both = torch.stack([-odds, torch.zeros_like(odds)], dim=1).log_softmax(1)
        return Predictions(
            tuple(map(str, rows)),
            log_probs=both[:, None].float(),
            features=torch.from_numpy(self.features[rows]).float(),
            novelty=torch.from_numpy(self.novelty[rows]).float(),
            labels=torch.from_numpy(self.bad[rows]).long(),
            defects=(1,),
        )


def drawn(truth: dict[str, str], seed: int) -> Split:
    """Draw a seed's pool and held-out parts."""
    rng = np.random.default_rng(seed)
    good = rng.permutation([id for id, label in truth.items() if label in GOOD]).tolist()
    bad = rng.permutation([id for id, label in truth.items() if label not in GOOD]).tolist()
    pool = good[: POOL[0]] + bad[: POOL[1]]
    held = good[POOL[0] :][: HELD_OUT[0]] + bad[POOL[1] :][: HELD_OUT[1]]
    return Split(tuple(sorted(pool)), tuple(sorted(held)), ())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", help="elpv_rare, or a folder of make_parts.py")
    parser.add_argument("--seeds", type=int, default=12)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[tuple[int, str, str], list[float]] = {}
    for seed in range(options.seeds):
        images = Images(options.data, seed)
        for count, share, scores in learned(images, seed):
            found.setdefault((count, "found", ""), []).append(share)
            for name, score in scores.items():
                for metric, of in METRICS.items():
                    value = float(of(images.bad[images.held_out], score))
                    found.setdefault((count, metric, name), []).append(value)
    print(table(found))


def learned(images: Images, seed: int) -> Iterator[tuple[int, float, Scores]]:
    """Yield numbers of labels, the share of the defects among them, and each way's scores."""
    rng = torch.Generator().manual_seed(seed)
    known: list[int] = []
    for before, count in pairwise((0, *COUNTS)):
        for start in range(before, count, BATCH):
            known += asked(images, known, min(BATCH, count - start), rng)
        said = log_odds(images, known)
        pool, held = list(images.pool), list(images.held_out)
        defects = int(images.bad[known].sum()) if fitted(images, known) else 0
        joined = join(said[pool], images.novelty[pool], defects)
        yield (
            count,
            float(images.bad[known].sum() / images.bad[pool].sum()),
            {
                "classifier": said[held],
                "novelty": images.novelty[held],
                "joined": joined(said[held], images.novelty[held]),
            },
        )


def asked(images: Images, known: list[int], n: int, rng: torch.Generator) -> list[int]:
    """Return the n images that a run would ask for next."""
    taken, said = set(known), log_odds(images, known)
    left = [row for row in images.pool if row not in taken]
    pool, labelled = images.rows(left, said[left]), images.rows(known, said[known])
    if fitted(images, known):
        pick = rare(pool, labelled, n=n, rng=rng)
    else:
        weights = {"novel": 0.8, "random": 0.2}
        pick = mixture(pool, labelled, n=n, rng=rng, parts=START, weights=weights)
    return [left[row] for row in pick.rows.tolist()]


def fitted(images: Images, known: list[int]) -> bool:
    """Tell whether both good and defective images are known."""
    return len(set(images.bad[known])) == 2


def log_odds(images: Images, known: list[int]) -> np.ndarray:
    """Return the log-odds of a defect of every image, by what is labelled."""
    if not fitted(images, known):
        return np.zeros(len(images.bad))
    regression = LogisticRegression(C=1 / len(known), class_weight="balanced", max_iter=200)
    return regression.fit(images.features[known], images.bad[known]).decision_function(
        images.features
    )


def table(found: dict[tuple[int, str, str], list[float]]) -> str:
    """Write the means, and the difference to the better of the two."""
    lines = [
        "| metric | labels | classifier | novelty | joined | joined minus the better of the two |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for metric in METRICS:
        for count in COUNTS:
            ways = {
                n: np.array(found[count, metric, n]) for n in ("classifier", "novelty", "joined")
            }
            better = max((ways["classifier"], ways["novelty"]), key=np.mean)
            apart = mean_interval(ways["joined"] - better)
            cells = [f"{values.mean():.3f}" for values in ways.values()]
            interval = f"{apart.value:+.3f} ({apart.low:+.3f} to {apart.high:+.3f})"
            lines.append(f"| {metric} | {count} | {' | '.join(cells)} | {interval} |")
    lines += ["", "| labels | share of the pool's defects found |", "| ---: | ---: |"]
    for count in COUNTS:
        by = mean_interval(np.array(found[count, "found", ""]))
        lines.append(f"| {count} | {by.value:.2f} ({by.low:.2f} to {by.high:.2f}) |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
