"""What a page is told when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alvision.core.records import SampleId
from alvision.labels.store import LabelStore


@dataclass(frozen=True)
class Setting:
    """One data set, one run and the people's store.

    Attributes:
        root: The run's folder.
        store: The log of what people said.
        paths: The file of each image, by id.
        held_out: The images of the audit: asked blind, whatever they are asked for.
        secret: Key of the images' addresses.
        cache: Folder for thumbnails.
        classes: The configured classes; more may be in the log, and none at all at first.
        defects: Those of them that are defects.
        value_range: Raw values (black, white) of images deeper than 8 bits.
        votes: People who answer each image.
        experts: Names of those who get unsure and disputed images first.
        initial: Labels that a run starts from.
        blind: Show what the model thinks only after the answer.
    """

    root: Path
    store: LabelStore
    paths: Mapping[SampleId, Path]
    held_out: frozenset[SampleId]
    secret: bytes
    cache: Path
    classes: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    value_range: tuple[float, ...] | None = None
    votes: int = 1
    experts: tuple[str, ...] = ()
    initial: int = 20
    blind: bool = False
