"""What the processes of a comparison do; it must be importable by them."""

import os
import time
from pathlib import Path

from alvision.core.errors import UserError
from tests.unit.study.builder import curve, write_run


def run(out: Path, acquisition: str, seed: int) -> None:
    """Write a run's files; some fail, one kills its process, some take long."""
    if (out / "fail").exists() and (acquisition, seed) == ("margin", 1):
        raise UserError("the disk is full")
    if (out / "die").exists() and (acquisition, seed) == ("margin", 1):
        os._exit(7)
    if (out / "wait").exists():
        (out / f"{acquisition}-{seed}.begun").touch()
        time.sleep(600)
    import numpy as np

    rng = np.random.default_rng([seed, len(acquisition)])
    values = [0.8] if acquisition == "full" else curve(0.8, rng)
    write_run(out, acquisition, seed, values)


def tell(out: Path, processes: int, name: str, seed: int) -> None:
    """Write down the GPUs that this process sees, and wait until every process has."""
    (out / f"{os.getpid()}-{name}-{seed}").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    end = time.monotonic() + 300
    while len({path.name.partition("-")[0] for path in out.iterdir()}) < processes:
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def cuda(out: Path, name: str, seed: int) -> None:
    """Write down the GPU that torch works on here, and how many it finds."""
    import torch

    told = f"{torch.cuda.device_count()} {torch.cuda.get_device_properties('cuda').uuid}"
    (out / f"{name}-{seed}").write_text(told)
