import numpy as np

from alvision.deploy.threshold.round_uses import uses_by_rounds
from alvision.evaluation.probabilities import ClassProbabilities

HASHES = {"a": "A", "copy of a": "A", "b": "B", "c": "C", "m": "M"}


def rounds(folder, *scored):
    for number, ids in enumerate(scored):
        place = folder / "rounds" / f"{number:03d}"
        place.mkdir(parents=True)
        values = np.full((len(ids), 2), 0.5)
        ClassProbabilities(tuple(ids), ("ok", "worn"), values).write(place / "predictions.parquet")
    (folder / "rounds" / "009").mkdir(parents=True)  # begun, and killed before its predictions
    return folder


def test_a_round_that_predicted_sealed_images_is_a_use(tmp_path):
    run = rounds(tmp_path, ["m", "copy of a", "c"], ["m", "b"], ["m"])
    uses = uses_by_rounds(run, HASHES, defects={"A": "lot 1", "B": "lot 2"}, good={"C": "lot 3"})
    assert [(use.question, use.defects, use.good, use.doubt) for use in uses] == [
        ("round 000", {"A": "lot 1"}, {"C": "lot 3"}, 0),
        ("round 001", {"B": "lot 2"}, {}, 0),
    ]


def test_a_run_of_people_and_one_without_rounds_have_used_none(tmp_path):
    run = rounds(tmp_path / "people", ["m"], ["m"])
    assert uses_by_rounds(run, HASHES, defects={"A": "lot 1"}, good={"C": "lot 3"}) == []
    assert uses_by_rounds(tmp_path / "none", HASHES, defects={"A": "lot 1"}, good={}) == []
