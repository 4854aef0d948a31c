"""A sitting of a scripted person who errs in one answer of ten: advice and stop work together."""

import json

import pytest

from tests.integration.project.test_scripts import script

sitting = script("simulate_sitting")


@pytest.mark.slow
def test_a_person_who_errs_is_told_when_to_stop_and_the_run_obeys(tmp_path):
    words = ["experiment=digits", f"out={tmp_path / 'run'}", "budget.batch=20", "seed=1"]
    folder, said = sitting.sit(words)
    rounds = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("rounds/*/metrics.json"))
    ]
    assert rounds[-1]["answers"] <= sitting.ANSWERS
    assert rounds[-1]["control"]["labels"] >= 10
    stopped = len(rounds) - 1 < (sitting.ANSWERS - 20) // 20
    assert stopped == said[0].startswith("stop here")
    assert any(line.startswith("macro-F1") for line in said)
    truth = sum("control" in row for row in rounds)
    assert truth and all(len(row["signals"]["gains"]) == min(k, 6) for k, row in enumerate(rounds))
    again = {file: file.read_bytes() for file in folder.glob("rounds/*/metrics.json")}
    assert sitting.sit(words)[1] == said, "the same command says the same"
    assert {file: file.read_bytes() for file in folder.glob("rounds/*/metrics.json")} == again
