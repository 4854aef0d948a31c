"""The only place that starts Lightning's Trainer: once for each fit, quietly."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from alvision.core import stopping
from alvision.core.errors import UserError
from alvision.training.classifier import Classifier

_LOGGERS = ("pytorch_lightning", "lightning_fabric")


def run(
    module: Classifier,
    data: Any,
    callbacks: Sequence[lightning.Callback] = (),
    progress: bool = False,
    devices: int = 1,
    **options: Any,
) -> None:
    """Fit with everything off that writes files or talks; a signal ends it between two steps.

    Args:
        module: What is trained, in place.
        data: A data module, or training batches.
        callbacks: Lightning's.
        progress: Show a progress bar on a terminal.
        devices: Ranks, each a process of its own if there are several (DistributedDataParallel).
            They are spawned on a processor too: after threads have started, a fork can hang.
        options: Further arguments of the Trainer.
    """
    handler = signal.getsignal(signal.SIGINT)
    with _quiet():
        try:
            trainer = lightning.Trainer(
                devices=devices,
                strategy="ddp_spawn" if devices > 1 else "auto",
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                log_every_n_steps=1,
                callbacks=[*callbacks, Silence(), *([EpochBar()] if progress else [])],
                **options,
            )
        except MisconfigurationException as error:  # e.g. a ModelCheckpoint: rounds are files here
            reason = " ".join(str(error).split())
            raise UserError(f"trainer.callbacks: Lightning refuses them ({reason})") from error
        try:
            # With several ranks this process only waits for them.
            with stopping.calling(_end_ranks if devices > 1 else _nothing):
                if isinstance(data, lightning.LightningDataModule):
                    trainer.fit(module, datamodule=data)
                else:
                    trainer.fit(module, train_dataloaders=data)
            stopping.safe_point()  # ranks that were done when the signal came end as ever
        except BaseException as stop:
            # Lightning turns a stop into an exit, of ranks that ended into a failure, and makes the
            # process deaf to the next Ctrl-C.
            if stopping.asked() or isinstance(stop.__context__, KeyboardInterrupt):
                signal.signal(signal.SIGINT, handler)
                raise KeyboardInterrupt from None
            raise


def _end_ranks() -> None:
    # Killed: at a SIGTERM, Lightning's ranks wait for each other or end as if all were well, and
    # then the process that started them waits for results that never come.
    for rank in multiprocessing.active_children():
        rank.kill()


def _nothing() -> None:
    pass


class Silence(lightning.Callback):
    """Silence the processes of other ranks too: unpickling this is the first thing that they do."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Set what `_quiet` has set in the process that started this one."""
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")


class EpochBar(lightning.Callback):
    """Show on a terminal how far a long fit has got, in epochs."""

    shown: Progress | None = None

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Start at epoch 0, on one of the ranks."""
        if not trainer.is_global_zero:
            return
        console = Console(stderr=True)
        columns = (
            TextColumn("training"),
            BarColumn(),
            TextColumn("epoch {task.completed} of at most {task.total}"),
            TimeElapsedColumn(),
        )
        self.shown = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self.epochs = self.shown.add_task("", total=trainer.max_epochs)
        self.shown.start()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Count an epoch."""
        if self.shown is not None:
            self.shown.advance(self.epochs)

    def teardown(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, stage: str
    ) -> None:
        """Leave the terminal as it was, also after Ctrl-C."""
        if self.shown is not None:
            self.shown.stop()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's banners, hints and warnings about what is meant so here."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators for what reads no other, and give them back as they were."""
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
