import re
import subprocess
import sys

import pytest

from alvision.inference import memory

PROGRAM = """
import sys
from alvision.cli import main
status = main(sys.argv[1:])
from alvision.inference.memory import peak
print("measured", peak())
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.skipif(memory.peak() is None, reason="the system does not tell what is held")
def test_a_run_stays_within_the_peak_that_it_tells_first(parts, tmp_path):
    small = ["model=small", "data.image.size=64", "trainer.epochs=2"]
    kinds = {
        "cold": [], "warm": ["acquisition=k_center", "trainer.memory_map=true"], "finetune": small,
    }  # fmt: skip
    for name, more in kinds.items():
        words = [
            "run", "data=class_folders", f"data.root={parts}", f"out={tmp_path / name}",
            "model.weights=null", "budget.rounds=1", "budget.initial=8", "budget.batch=4", *more,
        ]  # fmt: skip
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True
        ).stdout
        expected = 1e9 * float(re.search(r"memory: at most ([\d.]+) GB", told)[1])
        measured = int(re.search(r"measured (\d+)", told)[1])
        assert measured <= expected <= 1.5 * measured, told
