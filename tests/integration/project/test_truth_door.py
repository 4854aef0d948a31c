"""The truth enters by one door: only these places may read the manifest's truth."""

import ast
from pathlib import Path

import alvision

ROOT = Path(alvision.__file__).parent
DOORS = {
    "loop/build.py": "hands it to the evaluator",
    "dataset/simulation.py": "hands it to the simulated oracle",
    "dataset/dataset.py": "names the classes and splits before round 0",
    "dataset/people.py": "adds what people answered, for `check`",
    "deploy/train/labelled_data.py": "labels of held-out images, and data that needs no rounds",
    "training/contest.py": "scores models by labels of labelled images that it is handed",
    "evaluation/audit.py": "the evaluator: labels of audit images that it is handed",
    "evaluation/metrics.py": "the evaluator: compares labels that it is handed",
    "evaluation/outcomes.py": "the evaluator: joins predictions and labels by image",
    "loop/experiment.py": "holds it for the evaluator",
    "loop/run.py": "the evaluator: labels of held-out images in a simulated run",
    "data/splits.py": "stratifies before round 0",
    "data/thin_defects.py": "thins the defects of a simulated pool before round 0",
    "cli/simulate.py": "takes the good photographs before round 0",
    "data/checks": "looks the data over before round 0",
    "data/sources": "reads it from the files",
    "data/manifest.py": "holds it",
}


def reads_truth(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("truth", "answer_shares")
        for node in ast.walk(tree)
    )


def test_nobody_else_reads_the_truth():
    readers = {p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.py") if reads_truth(p)}
    strangers = {r for r in readers if not any(r.startswith(door) for door in DOORS)}
    assert not strangers
    assert "loop/build.py" in readers, "the test would see a reader"
