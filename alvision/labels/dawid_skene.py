"""Who confuses which classes, and how sure several answers make a class (Dawid and Skene)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alvision.core.records import SampleId
from alvision.labels.consensus import Settled

RIGHT, WRONG = 4.0, 1.0
"""Answers that everybody begins with, for each class: so many right ones, and so many wrong ones
dealt to the other classes. Who was never compared is believed four times in five."""

HARD, EASY = 1.0, 9.0
"""Images that the share of hard ones begins with: one in ten."""

_STEPS, _ENOUGH = 200, 1e-7
_ONCE = 1.0
"""Mistakes below this number are no more than one tie, in which either may be right."""


@dataclass(frozen=True)
class Crowd:
    """Hold what the answers say of people and of images.

    Attributes:
        classes: C class names.
        people: P names.
        counts: Answers by person, class and answer, [P,C,C]; a doubtful class counts in parts, and
            an image that is probably hard in part.
        confusion: Probability of each answer by person and class, [P,C,C].
        beliefs: Probability of each class by image, [C]; they sum to 1.
        hard: Probability that an image is hard.
    """

    classes: tuple[str, ...]
    people: tuple[str, ...]
    counts: np.ndarray
    confusion: np.ndarray
    beliefs: dict[SampleId, np.ndarray]
    hard: dict[SampleId, float]


def dawid_skene(
    votes: Mapping[SampleId, Mapping[str, str]],
    classes: Sequence[str],
    known: Mapping[SampleId, str] | None = None,
) -> Crowd:
    """Estimate each person's confusion of classes and each image's class together.

    The model of Dawid and Skene (doi:10.2307/2346806), with Dirichlet priors and one step of
    difficulty: an image of class t is easy, and a person p answers a with probability
    confusion[p, t, a]; or it is hard, and everybody answers at random. Expectation and maximisation
    take turns until nothing changes. Answers that the classes do not name are left out.

    Args:
        votes: The class that each person answered, by image.
        classes: C class names, two or more.
        known: The class of images that are settled: they only measure people.

    >>> both, each = {"anna": "ok", "bert": "ok"}, {"anna": "worn", "bert": "ok"}
    >>> crowd = dawid_skene({"a.png": both, "b.png": each}, ["ok", "worn"])
    >>> bool(crowd.beliefs["a.png"][0] > crowd.beliefs["b.png"][0] > 0.5)
    True
    """
    known = known or {}
    column = {name: at for at, name in enumerate(classes)}
    votes = {id: {by: a for by, a in said.items() if a in column} for id, said in votes.items()}
    votes = {id: said for id, said in votes.items() if said}
    ids, people = tuple(votes), tuple(sorted({by for said in votes.values() for by in said}))
    said = np.full((len(ids), len(people)), -1)
    for row, id in enumerate(ids):
        for by, answer in votes[id].items():
            said[row, people.index(by)] = column[answer]
    settled = np.array([column.get(known.get(id, ""), -1) for id in ids], dtype=int)
    count = len(classes)
    start = np.where(np.eye(count, dtype=bool), RIGHT, WRONG / (count - 1))
    easy = _one_hot(said, count).sum(1) / np.maximum(1, (said >= 0).sum(1, keepdims=True))
    hard = np.zeros_like(easy)
    for _ in range(_STEPS):
        answers = np.einsum("nt,npa->pta", easy, _one_hot(said, count))
        confusion = (answers + start) / (answers + start).sum(2, keepdims=True)
        shares = (easy + hard).sum(0) + 1
        share = (hard.sum() + HARD) / (len(ids) + HARD + EASY)
        before = easy
        easy, hard = beliefs_of(said, confusion, shares / shares.sum(), share, settled)
        if not len(ids) or np.abs(easy - before).max() < _ENOUGH:
            break
    return Crowd(
        tuple(classes),
        people,
        answers,
        confusion,
        dict(zip(ids, easy + hard, strict=True)),
        dict(zip(ids, hard.sum(1).tolist(), strict=True)),
    )


def compared(settled: Mapping[SampleId, Settled], classes: Sequence[str]) -> Crowd | None:
    """Estimate who confuses what from the images that say so; None where there are none.

    These are the images with answers of several people, and those that somebody settled: what one
    person said alone compares with nothing.

    Args:
        settled: The labelled images, see `consensus.consensus`.
        classes: The class names.
    """
    sure = {id: image.label for id, image in settled.items() if image.by}
    votes = {id: v.votes for id, v in settled.items() if len(v.votes) > 1 or (v.by and v.votes)}
    return dawid_skene(votes, classes, sure) if votes and len(classes) > 1 else None


def mistaken(crowd: Crowd | None) -> list[str]:
    """Say what each person takes for what, those that happen most often first.

    >>> said = {"anna": "ok", "bert": "worn"}
    >>> images = {f"{i}.png": Settled("worn", said, False, by="eve") for i in range(20)}
    >>> for line in mistaken(compared(images, ["ok", "worn"])):
    ...     print(line)
    anna called worn ok about 20 of 20 times
    """
    lines: list[str] = []
    if crowd is None:
        return lines
    for by, table in zip(crowd.people, crowd.counts, strict=True):
        wrong = [
            (table[t, a], f"{by} called {crowd.classes[t]} {crowd.classes[a]}", table[t].sum())
            for t in range(len(table))
            for a in range(len(table))
            if t != a and table[t, a] >= _ONCE
        ]
        wrong.sort(key=lambda one: (-one[0], one[1]))
        lines += [f"{text} about {n:.0f} of {of:.0f} times" for n, text, of in wrong[:3]]
    return lines


def beliefs_of(
    said: np.ndarray,
    confusion: np.ndarray,
    shares: np.ndarray,
    hard: float,
    settled: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of each class with the image easy, and with it hard, [N,C] each.

    Args:
        said: The answer of each person to each image as an integer, [N,P]; -1: none.
        confusion: Probability of each answer by person and class, [P,C,C].
        shares: Probability of each class, [C].
        hard: Probability that an image is hard, 0 <= hard < 1.
        settled: The class of each image where it is known, [N]; -1: it is not.
    """
    count = len(shares)
    log = np.einsum("npa,pta->nt", _one_hot(said, count), np.log(confusion))
    answers = (said >= 0).sum(1, keepdims=True)
    easy = np.exp(log) * shares * (1 - hard)
    random = np.exp(-answers * np.log(count)) * shares * hard
    fits = (settled[:, None] < 0) | (settled[:, None] == np.arange(count))
    easy, random = easy * fits, random * fits
    total = (easy + random).sum(1, keepdims=True)
    return easy / total, random / total


def _one_hot(said: np.ndarray, count: int) -> np.ndarray:
    return (said[:, :, None] == np.arange(count)).astype(float)
