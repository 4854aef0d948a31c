"""What was usual on the benchmarks, against their curves."""

import csv
from collections import defaultdict
from math import inf
from pathlib import Path
from statistics import median

import pytest

from alvision.advice.pays import RARE, USUAL
from alvision.evaluation.curves import labels_to_target

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.mark.parametrize(
    "protocol, labels", [("elpv_noisy", USUAL[0]), ("elpv_confused", USUAL[1]), ("elpv_rare", inf)]
)
def test_the_usual_labels_are_those_of_the_curves(protocol, labels):
    curves, full = defaultdict(list), {}
    with (BENCHMARKS / f"{protocol}.csv").open(encoding="utf-8", newline="") as file:
        *_, score = (reader := csv.DictReader(file)).fieldnames
        for row in reader:
            if row["acquisition"] == "full":
                full[row["seed"]] = float(row[score])
            elif row["acquisition"] == "uncertainty_herding":
                curves[row["seed"]].append((float(row["answers"]), float(row[score])))
    reached = [labels_to_target(*zip(*c, strict=True), 0.95 * full[s]) for s, c in curves.items()]
    assert len(reached) == 12
    found = median(inf if one is None else one for one in reached)
    assert found == labels or round(found) == labels
    if labels == inf:
        assert found == inf and max(c[-1][0] for c in curves.values()) == RARE
