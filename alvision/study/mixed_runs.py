"""Refuse runs that cannot be compared: other rounds, answers, settings or images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from alvision.core.errors import UserError
from alvision.core.rounds import DOCUMENT, read_document
from alvision.run_folder.fixed_settings import read_by_rounds

AGAIN = "run the same compare again to finish it"
TODAY = "this compare"


def refuse_begun(
    folder: Path, runs: Mapping[Path, Sequence[str]], described: Mapping[str, Any]
) -> None:
    """Refuse to add runs to a study of other settings, images or features, before any is made.

    Args:
        folder: The study's folder.
        runs: Those that may be there, each with the keys in which it may differ.
        described: What `describe_run` says of a run that would be made now.
    """
    for path, ignore in runs.items():
        if (path / DOCUMENT).exists():
            documents = {path: read_document(path), folder / TODAY: described}
            refuse_differences(folder, documents, ignore=ignore)


def refuse_unequal(
    folder: Path,
    names: Sequence[str],
    seeds: Sequence[int],
    tables: Mapping[tuple[str, int], np.ndarray],
) -> None:
    """Compare the rounds of every run, and the answers of each, with the first acquisition's."""
    rounds = len(tables[names[0], seeds[0]])
    for (name, seed), table in tables.items():
        if len(table) != rounds:
            raise UserError(
                f"{folder}: unequal rounds: {name}/seed-{seed} has {len(table)}, "
                f"{names[0]}/seed-{seeds[0]} has {rounds}; {AGAIN}, or compare into another out="
            )
        if not np.array_equal(table[:, 0], tables[names[0], seed][:, 0]):
            raise UserError(
                f"{folder}: {name}/seed-{seed} and {names[0]}/seed-{seed} did not get the same "
                "number of answers in each round, so they cannot be compared; compare into "
                "another out="
            )


def refuse_others(
    folder: Path, reference: Path, paths: Sequence[Path], *, ignore: Sequence[str]
) -> None:
    """Compare runs that may differ in more with the first of those that are compared."""
    documents = {path: read_document(path) for path in (reference, *paths)}
    refuse_differences(folder, documents, ignore=ignore)


def refuse_differences(
    folder: Path, documents: Mapping[Path, Mapping[str, Any]], *, ignore: Sequence[str]
) -> None:
    """Compare every run's fingerprint, and the data it saw, with the first one's."""
    (reference, document), *rest = documents.items()
    expected = _fingerprint(document, ignore)
    for path, other in rest:
        seen = {document.get("manifest"), other.get("manifest")} - {None}
        if len(seen) > 1:
            raise UserError(
                f"{folder} mixes data: {path.relative_to(folder).as_posix()} saw other images or "
                f"classes than {reference.relative_to(folder).as_posix()} (another manifest); "
                "compare into another out="
            )
        if document.get("features") != other.get("features"):
            old, new = sorted(
                (reference, path), key=lambda run: documents[run].get("features") is not None
            )
            raise UserError(
                f"{folder} mixes features: {old.relative_to(folder).as_posix()} was begun by an "
                f"earlier version, which did not standardise them, and "
                f"{new.relative_to(folder).as_posix()} does; compare into another out="
            )
        given = _fingerprint(other, ignore)
        for key in sorted(expected.keys() | given.keys()):
            if expected.get(key) != given.get(key):
                raise UserError(
                    f"{folder} mixes configurations: {key} is {expected.get(key)!r} in "
                    f"{reference.relative_to(folder).as_posix()} and {given.get(key)!r} in "
                    f"{path.relative_to(folder).as_posix()}; compare into another out="
                )


def _fingerprint(document: Mapping[str, Any], ignore: Sequence[str]) -> dict[str, Any]:
    kept = read_by_rounds(document["fingerprint"]).items()
    flat = {key: value for key, value in kept if key.split(".")[0] not in ignore}
    return {**flat, "classes": document["classes"]}
