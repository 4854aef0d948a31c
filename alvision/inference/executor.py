"""A trunk made ready to run: from pixels to features, whatever executes it."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from alvision.core.errors import UserError
from alvision.inference.engine import Engine
from alvision.inference.folding import folded
from alvision.models.normalised import Normalised

Run = Callable[[UInt8[Tensor, "b h w 3"]], Float[Tensor, "b ..."]]

TOLERANCE = {"32-true": 1e-3, "bf16-mixed": 0.1, "16-mixed": 0.02}
"""Largest distance of an engine's features from eager ones, relative to their length.

bf16 keeps 8 bits of a number and fp16 keeps 11, and errors add up over the layers.
"""

_log = logging.getLogger(__name__)


class Executor:
    """Runs one trunk on one engine; batches may come from several threads at once.

    An engine other than eager is first compared with it, on noise. Where a GPU has too little
    memory for a batch, the batch is halved, for good.

    Args:
        trunk: Maps images to features [B,D] or [B,1+K,D]; it is put in eval mode and on the
            engine's device.
        engine: What runs it.
        mean: The trunk's mean of each channel.
        std: The trunk's deviation of each channel.
        shape: Height and width of the images, in pixels.

    Raises:
        UserError: The engine cannot run this trunk, or gives other features than eager.
    """

    def __init__(
        self,
        trunk: nn.Module,
        engine: Engine,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        shape: tuple[int, int],
    ) -> None:
        self.engine = engine
        self.rows = engine.rows
        if engine.device.type == "cpu":
            keep_freed_memory()
        trunk.eval().to(engine.device).to(memory_format=torch.channels_last)
        if engine.kind == "eager":
            trunk = folded(trunk, shape)
        module = Normalised(trunk, mean, std)
        # A GPU runs one batch at a time, so that memory holds one; copies and decoding go on.
        self._turn = threading.Lock() if engine.device.type == "cuda" else nullcontext()
        eager = self._in_context(module)
        if engine.kind == "eager":
            self._run = eager
            return
        noise = torch.from_numpy(
            np.random.default_rng(0).integers(0, 256, (self.rows, *shape, 3), np.uint8)
        )
        try:
            if engine.kind == "compile":
                self._run = self._in_context(_compiled(module))
            else:
                self._run = _openvino(module, engine, noise)
            found, expected = self(noise), eager(noise).float().cpu()
        except Exception as error:  # compilers fail in ways of their own
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
            raise UserError(
                f"model.engine={engine.kind} cannot run this network ({reason}); use "
                "model.engine=eager"
            ) from error
        difference = float((found - expected).norm() / expected.norm().clamp(min=1e-12))
        if not difference <= TOLERANCE[engine.precision]:
            raise UserError(
                f"model.engine={engine.kind} gives other features than eager (relative difference "
                f"{difference:.2g}); use model.engine=eager"
            )

    def __call__(self, pixels: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b ..."]:
        """Return features, float32 on the CPU, of a full batch of images on the CPU."""
        if self.engine.device.type == "cuda":
            pixels = pixels.pin_memory().to(self.engine.device, non_blocking=True)
        while True:
            rows = self.rows
            try:
                parts = [self._part(part, rows) for part in pixels.split(rows)]
                return torch.cat(parts)
            except torch.cuda.OutOfMemoryError:
                if rows == 1:
                    raise UserError(
                        "the GPU has too little memory for one image; use a smaller "
                        "data.image.size or model.backbone, or trainer=cpu"
                    ) from None
                self._halve(rows)

    def _part(self, pixels: Tensor, rows: int) -> Tensor:
        short = rows - len(pixels)
        if short:  # a batch size that is no power of two leaves a rest
            pixels = torch.cat([pixels, pixels.new_zeros(short, *pixels.shape[1:])])
        with self._turn:
            features = self._run(pixels)
            # A clone, for what inference mode makes cannot be used in training.
            return features[: rows - short].float().cpu().clone()

    def _halve(self, rows: int) -> None:
        torch.cuda.empty_cache()
        if self.rows == rows:  # another thread may have been first
            self.rows = -(-rows // 2)
            _log.warning(
                "the GPU's memory is too small for trainer.batch_size=%d: going on with %d "
                "images at a time",
                rows,
                self.rows,
            )

    def _in_context(self, module: Callable[[Tensor], Tensor]) -> Run:
        def run(pixels: Tensor) -> Tensor:
            with torch.inference_mode(), self.engine.autocast:
                return module(pixels)

        return run


def _compiled(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """Compile for one shape, with the weights frozen into the program."""
    compiled = torch.compile(module, dynamic=False, options={"freezing": True})

    def run(pixels: Tensor) -> Tensor:
        # Freezing is left out in inference mode, and without a word.
        with torch.inference_mode(False), torch.no_grad():
            return compiled(pixels)

    return run


def _openvino(module: nn.Module, engine: Engine, example: Tensor) -> Run:
    """Convert by OpenVINO's frontend; its convenience function would call home."""
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    with torch.no_grad():
        exported = torch.export.export(module, (example,))
    frontend = FrontEndManager().load_by_framework("pytorch")
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it warns, with tracebacks, of operations that nobody uses
    try:
        decoder = TorchFXPythonDecoder.from_exported_program(exported, dynamic_shapes=False)
    finally:
        logging.disable(level)
    network = frontend.convert(frontend.load(decoder))
    streams = engine.streams
    compiled = openvino.Core().compile_model(
        network,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "bf16" if engine.precision == "bf16-mixed" else "f32",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * torch.get_num_threads(),
        },
    )
    of_thread = threading.local()

    def run(pixels: Tensor) -> Tensor:
        if not hasattr(of_thread, "request"):
            of_thread.request = compiled.create_infer_request()
        found = of_thread.request.infer([pixels.numpy()])[0]
        return torch.from_numpy(np.array(found, np.float32))

    return run


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # their numbers in glibc's malloc.h
_KEPT = 2**28
"""Bytes of free memory above which it goes back to the kernel: more than a layer takes."""


@cache
def keep_freed_memory() -> None:
    """Ask the C library to keep freed memory in the process, where it can be asked (glibc).

    By default it returns what a large layer frees, and takes it back page by page for the next
    one: that is up to a third of the time of a pool pass on a processor.
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    tell(_MMAP_THRESHOLD, _KEPT)
    tell(_TRIM_THRESHOLD, _KEPT)
