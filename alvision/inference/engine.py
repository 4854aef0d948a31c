"""What the network runs on: chosen once for a run, and part of the feature cache's key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from alvision.errors import UserError

if TYPE_CHECKING:
    from alvision.config import TrainerConfig

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


@dataclass(frozen=True)
class Engine:
    """Where and how a trunk is run.

    Attributes:
        device: The device of the trunk.
        precision: `32-true`, `bf16-mixed` or `16-mixed`, in Lightning's words.
        batch_size: Images a step; every batch has this size.
        workers: Threads that decode images.
        progress: Show a progress bar on a terminal.
    """

    device: torch.device
    precision: str
    batch_size: int = 32
    workers: int = 1
    progress: bool = False

    @property
    def autocast(self) -> torch.autocast:
        """Return the context in which a trunk runs at this precision."""
        dtype = torch.float16 if self.precision == "16-mixed" else torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=self.precision != "32-true")


def choose(trainer: TrainerConfig, *, progress: bool = False) -> Engine:
    """Choose the engine that the configuration asks for.

    Raises:
        UserError: The device, the precision or a number is not to be had here.
    """
    if trainer.devices != 1:
        raise UserError(f"trainer.devices={trainer.devices}: a run uses one device; set it to 1")
    if trainer.batch_size < 1:
        raise UserError(f"trainer.batch_size={trainer.batch_size}: it must be at least 1")
    if trainer.num_workers is not None and trainer.num_workers < 0:
        raise UserError(f"trainer.num_workers={trainer.num_workers}: it must not be negative")
    device = resolve_device(trainer.accelerator)
    workers = (
        trainer.num_workers if trainer.num_workers is not None else min(8, os.cpu_count() or 1)
    )
    precision = resolve_precision(trainer.precision, device)
    return Engine(device, precision, trainer.batch_size, max(1, workers), progress)


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
