"""Choose the device and precision of a run, once; both are part of the feature cache's key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from alvision.config.limits import check_limits
from alvision.core.errors import UserError

if TYPE_CHECKING:
    from alvision.config.schema import TrainerConfig

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
KINDS = ("eager", "compile", "openvino")
ROWS_ON_CPU = 4
PROGRAM = "batch norm folded"
"""Names how a trunk is prepared. Change it with any change that moves the last digits of features,
because it is part of the feature cache's key."""


@dataclass(frozen=True)
class Engine:
    """The device, precision and batch size that a trunk runs with.

    Attributes:
        device: The device of the trunk.
        precision: `32-true`, `bf16-mixed` or `16-mixed`, in Lightning's words.
        batch_size: Images a step; every batch has this size.
        workers: Batches that are in the making at once, each in a thread of its own.
        progress: Show a progress bar on a terminal.
        kind: What executes the trunk: `eager`, `compile` (PyTorch's compiler) or `openvino`.
        devices: Ranks, each a process with a device of its own, or a share of the cores.
    """

    device: torch.device
    precision: str
    batch_size: int = 32
    workers: int = 1
    progress: bool = False
    kind: str = "eager"
    devices: int = 1

    @property
    def autocast(self) -> torch.autocast:
        """Return the context in which a trunk runs at this precision."""
        dtype = torch.float16 if self.precision == "16-mixed" else torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=self.precision != "32-true")

    @property
    def streams(self) -> int:
        """Return how many batches are in the making at once: on a processor at most one a core."""
        on_cpu = self.device.type == "cpu"
        return max(1, min(self.workers, torch.get_num_threads()) if on_cpu else self.workers)

    @property
    def share(self) -> int:
        """Return how many threads each batch in the making may use."""
        return max(1, torch.get_num_threads() // self.streams)

    @property
    def rows(self) -> int:
        """Return how many images run together: few on a processor, for its caches are small."""
        small = self.device.type == "cpu" and self.kind != "openvino"
        return min(self.batch_size, ROWS_ON_CPU) if small else self.batch_size

    @property
    def key(self) -> list[str]:
        """Return what features depend on, to the last digit, beside the trunk and the image."""
        return [self.device.type, self.precision, self.kind, f"rows {self.rows}", PROGRAM]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Use so many threads in each of torch's operations."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose(trainer: TrainerConfig, kind: str = "eager", *, progress: bool = False) -> Engine:
    """Choose the engine that the configuration asks for.

    Raises:
        UserError: The device, the precision, the engine or a number is not to be had here.
    """
    check_limits(trainer, "trainer.")
    device = resolve_device(trainer.accelerator)
    workers = (
        trainer.num_workers if trainer.num_workers is not None else min(8, os.cpu_count() or 1)
    )
    precision = resolve_precision(trainer.precision, device)
    check_kind(kind, device)
    _check_devices(trainer, device)
    return Engine(
        device,
        precision,
        trainer.batch_size,
        max(1, workers),
        progress,
        kind,
        trainer.devices,
    )


def check_kind(kind: str, device: torch.device) -> None:
    """Refuse an engine that is unknown or lacks what it needs, before any work.

    Raises:
        UserError: Naming what is missing and how to get it.
    """
    if kind not in KINDS:
        raise UserError(f"model.engine={kind}: choose {', '.join(KINDS)}")
    if kind == "compile" and not _has_compiler():
        raise UserError(
            "model.engine=compile needs a C++ compiler, and none is found: install one (Debian, "
            "Ubuntu: apt install g++) or use model.engine=eager"
        )
    if kind == "openvino" and device.type != "cpu":
        raise UserError("model.engine=openvino runs on a processor; set trainer.accelerator=cpu")
    if kind == "openvino" and find_spec("openvino") is None:
        raise UserError("model.engine=openvino needs: pip install alvision[openvino]")


def _has_compiler() -> bool:
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        return bool(get_cpp_compiler())
    except RuntimeError:
        return False


def _check_devices(trainer: TrainerConfig, device: torch.device) -> None:
    if trainer.devices < 1:
        raise UserError(f"trainer.devices={trainer.devices}: it must be at least 1")
    if trainer.devices > 1 and trainer.strategy != "ddp":
        raise UserError(f"trainer.devices={trainer.devices} needs trainer.strategy=ddp")
    if device.type == "cuda" and trainer.devices > torch.cuda.device_count():
        raise UserError(
            f"trainer.devices={trainer.devices}, but PyTorch finds {torch.cuda.device_count()}"
        )


def resolve_device(accelerator: str) -> torch.device:
    """Turn `auto`, `cpu` or `gpu` into a device.

    Raises:
        UserError: The word is unknown, or there is no CUDA device.
    """
    if accelerator not in ("auto", "cpu", "gpu"):
        raise UserError(f"trainer.accelerator={accelerator}: choose auto, cpu or gpu")
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise UserError(
            "trainer.accelerator=gpu, but PyTorch finds no CUDA device; use trainer=auto or "
            "trainer=cpu"
        )
    return torch.device("cpu" if accelerator == "cpu" or not torch.cuda.is_available() else "cuda")


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turn `auto` into what the hardware is fastest at without a loss that matters for ranking.

    Raises:
        UserError: The precision is unknown or the device has it not.
    """
    if precision == "auto":
        if device.type == "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
            return "bf16-mixed" if native else "16-mixed"
        return "bf16-mixed" if _cpu_has_bf16() else "32-true"
    if precision not in PRECISIONS:
        raise UserError(f"trainer.precision={precision}: choose auto, {', '.join(PRECISIONS)}")
    if precision == "16-mixed" and device.type == "cpu":
        raise UserError("trainer.precision=16-mixed needs a GPU; use auto, 32-true or bf16-mixed")
    return precision


def _cpu_has_bf16() -> bool:
    # The helpers are private and differ between releases and processors; absent means no.
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)
