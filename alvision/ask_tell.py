"""Ask for labels in a loop of your own: your model, your labels, and one of the strategies here.

Nothing here trains or reads images. torch is imported with the first question, not before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from alvision.core import doors, seeding
from alvision.core.version import CONFIG_DIR

if TYPE_CHECKING:
    from torch import Tensor

    from alvision.inference.predictions import Predictions

Id = str | int
Label = str | int | bool

FORMAT = 1


class Asker:
    """Keep account of what is labelled, and say what to label next.

    `ask` changes nothing: asked again with the same predictions it gives the same answer, so a
    notebook's cell may run twice and a killed loop goes on where it was. Only `tell` moves on.

    Args:
        ids: The images (or whatever is labelled), each once: texts or whole numbers.
        acquisition: The name of a file in `configs/acquisition`, here or in the current folder; or
            a function: a score of log-probabilities [N,K,C], or a select.
        seed: What random draws and the order of ties follow.
        classes: All labels that there can be, for strategies that count them; None: those told.
        defects: Which of them are defects, for strategies that look for these.

    Raises:
        ValueError: An id occurs twice, is neither text nor number, or there is none; the seed is
            no whole number from 0; or the acquisition is unknown.

    >>> asker = Asker(["a.png", "b.png", "c.png"], acquisition="margin")
    >>> asker.ask(1, probabilities=[[0.9, 0.1], [0.5, 0.5], [1.0, 0.0]])
    ['b.png']
    >>> asker.tell({"b.png": "worn"})
    >>> asker.pool
    ['a.png', 'c.png']
    """

    def __init__(
        self,
        ids: Iterable[Id],
        acquisition: str | Callable[..., Any] = "uncertainty_herding",
        *,
        seed: int = 0,
        classes: Sequence[Label] | None = None,
        defects: Iterable[Label] = (),
    ) -> None:
        self.ids: tuple[Id, ...] = _names("ids", ids, "strings; write str(path)")
        self.seed = _whole("seed", seed)
        self.classes = None if classes is None else _names("classes", classes, "a list of names")
        self.defects = _names("defects", defects, "a list of names")
        self._rows = {id: row for row, id in enumerate(self.ids)}
        if not self.ids:
            raise ValueError("ids: there is none")
        if len(self._rows) < len(self.ids):
            twice = next(id for row, id in enumerate(self.ids) if self._rows[id] != row)
            raise ValueError(f"ids: {twice!r} occurs twice; every image needs its own id")
        self._name = acquisition if isinstance(acquisition, str) else None
        self._acquire = acquisition if callable(acquisition) else _shipped(acquisition)
        self._told: dict[Id, Label | None] = {}

    @property
    def pool(self) -> list[Id]:
        """Return the ids that nothing was told about, in their order."""
        return [id for id in self.ids if id not in self._told]

    @property
    def labelled(self) -> dict[Id, Label]:
        """Return the labels that were told, in the order of telling."""
        return {id: label for id, label in self._told.items() if label is not None}

    @property
    def skipped(self) -> list[Id]:
        """Return the ids that were told to have no label; they are not asked for again."""
        return [id for id, label in self._told.items() if label is None]

    def ask(
        self,
        n: int,
        *,
        log_probs: Any = None,
        probabilities: Any = None,
        logits: Any = None,
        features: Any = None,
        novelty: Any = None,
    ) -> list[Id]:
        """Choose n ids of the pool to label next, the most wanted first.

        Each array (numpy, torch, a list) has one row for each of `ids`, in their order, or one for
        each of `pool`, in its order; or it is a mapping from id to row. Features must be there for
        labelled ids too, because strategies that read them keep away from what is labelled.

        Args:
            n: How many.
            log_probs: Natural logarithms of class probabilities, [N,C] or [N,K,C] for K passes.
            probabilities: The same as probabilities; give one of the three.
            logits: The same before the softmax.
            features: [N,D].
            novelty: How strange each image is, [N], for the strategies that read it.

        Raises:
            ValueError: Something that the strategy reads is missing, has the wrong number of rows,
                holds NaN or is no probability; or the pool is smaller than n.
        """
        from dataclasses import replace

        import torch

        from alvision.acquisition import needs_of
        from alvision.acquisition.support.ops import take

        pool, known = self.pool, self.labelled
        n = _whole("n", n)
        if n > len(pool):
            raise ValueError(f"n={n}: the pool has {len(pool)} ids left")
        acquire = _as_select(self._acquire)
        needs = needs_of(acquire)
        chances = {"log_probs": log_probs, "probabilities": probabilities, "logits": logits}
        given = {name: values for name, values in chances.items() if values is not None}
        if needs & {"scores", "log_probs", "passes"} and not given:
            raise ValueError(
                f"{self._called} reads predictions: give probabilities=, log_probs= or logits="
            )
        if "novelty" in needs and novelty is None:
            raise ValueError(f"{self}: give novelty=, how strange each image is, [N]")
        if "features" in needs and features is None:
            raise ValueError(f"{self}: give features=, [N,D]")
        if features is not None and "features" in needs:
            given["features"] = features
        rows = {name: self._split(name, values, pool, known) for name, values in given.items()}
        seen = _predictions(pool, {name: own for name, (own, _) in rows.items()})
        if "novelty" in needs:
            strange, _ = self._split("novelty", novelty, pool, known)
            seen = replace(seen, novelty=strange.float())
        read = {name: own for name, (_, own) in rows.items() if own is not None}
        if known and "features" in needs and "features" not in read:
            raise ValueError(
                f"{self} compares the pool with what is labelled: give features for each of the "
                f"{len(self.ids)} ids, in the order of .ids"
            )
        if not needs & {"log_probs"}:
            read = {name: own for name, own in read.items() if name == "features"}
        labelled = self._with_labels(_predictions(list(known), read), known, needs)
        # A seeded order of the pool breaks ties: file order would favour the first folder.
        rng = seeding.generator(self.seed, len(self._told), "ask")
        order = torch.randperm(len(pool), generator=rng)
        pick = acquire(take(seen, order), labelled, n=n, rng=rng)
        return [pool[row] for row in order[pick.rows.cpu()].tolist()]

    def tell(self, labels: Mapping[Any, Any]) -> None:
        """Note labels by id; None where nobody can say. A second label replaces the first.

        Raises:
            ValueError: An id is unknown, or a label is none of `classes`.
        """
        if not isinstance(labels, Mapping):
            raise ValueError(f"tell: give a mapping from id to label, not a {_kind(labels)}")
        plain = {_plain(id): _plain(label) for id, label in labels.items()}
        for id, label in plain.items():
            if id not in self._rows:
                raise ValueError(f"tell: {id!r} is none of the ids")
            if label is not None and not isinstance(label, str | int):
                raise ValueError(f"tell: the label of {id!r} is a {type(label).__name__}")
            if self.classes is not None and label is not None and label not in self.classes:
                named = ", ".join(map(repr, self.classes))
                raise ValueError(f"tell: the label {label!r} of {id!r} is none of {named}")
        self._told.update(plain)

    def to_json(self) -> str:
        """Return the whole state as JSON: ids, labels, seed and the name of the acquisition."""
        state = {
            "format": FORMAT,
            "acquisition": self._name,
            "seed": self.seed,
            "classes": self.classes,
            "defects": self.defects,
            "ids": self.ids,
            "told": list(self._told.items()),  # pairs: a JSON object would make texts of numbers
        }
        return json.dumps(state, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, *, acquisition: Callable[..., Any] | None = None) -> Self:
        """Go on from `to_json`; a function is not in it, so give it again.

        Raises:
            ValueError: It is not such a text, or the function is missing.
        """
        try:
            state = json.loads(text)
            if state["format"] != FORMAT:
                raise ValueError(f"format {state['format']}, not {FORMAT}")
            keys = {key: state[key] for key in ("ids", "seed", "classes", "defects")}
            name, told = state["acquisition"], dict(map(tuple, state["told"]))
        except KeyError as error:
            raise ValueError("this is not what Asker.to_json gave") from error
        except (ValueError, TypeError) as error:
            raise ValueError(f"this is not what Asker.to_json gave ({error})") from error
        if name is None and acquisition is None:
            raise ValueError("the acquisition was a function: from_json(..., acquisition=...)")
        asker = cls(acquisition=acquisition or name, **keys)
        asker.tell(told)
        return asker

    def __repr__(self) -> str:
        """Return the strategy and how far it is."""
        return f"Asker({self._called}, {len(self._told)} of {len(self.ids)} told)"

    @property
    def _called(self) -> str:
        return self._name or str(getattr(self._acquire, "__name__", "a function"))

    def _split(
        self, name: str, values: Any, pool: list[Id], known: Mapping[Id, Label]
    ) -> tuple[Tensor, Tensor | None]:
        """Return the rows of the pool, and those of the labelled ids if they are there."""
        if isinstance(values, Mapping):
            absent = [id for id in pool if id not in values]
            if absent:
                raise ValueError(f"{name}: no row for {absent[0]!r}, which is in .pool")
            known_too = all(id in values for id in known)
            wanted = [*pool, *known] if known_too else pool
            array = _array(name, [values[id] for id in wanted], wanted)
            return array[: len(pool)], array[len(pool) :] if known_too else None
        array = _array(name, values, pool if _length(values) == len(pool) else self.ids)
        if len(array) == len(self.ids):
            return array[self._places(pool)], array[self._places(known)]
        if len(array) == len(pool):
            return array, None
        raise ValueError(
            f"{name}: {len(array)} rows; give {len(self.ids)}, in the order of .ids, or "
            f"{len(pool)}, in the order of .pool"
        )

    def _places(self, ids: Iterable[Id]) -> list[int]:
        return [self._rows[id] for id in ids]

    def _with_labels(
        self, labelled: Predictions, known: Mapping[Id, Label], needs: frozenset[str]
    ) -> Predictions:
        from dataclasses import replace

        import torch

        classes = self.classes or tuple(sorted({*known.values(), *self.defects}, key=str))
        if "defects" in needs and not self.defects:
            raise ValueError(f"{self} looks for defects: Asker(..., defects=[...])")
        numbers = torch.tensor([classes.index(label) for label in known.values()]).long()
        defects = tuple(classes.index(name) for name in self.defects if name in classes)
        return replace(labelled, labels=numbers, defects=defects or None)


def _plain(value: Any) -> Any:
    """Return a numpy scalar as Python's own, so that it can be written as JSON."""
    return value.item() if hasattr(value, "item") else value


def _kind(value: Any) -> str:
    return type(value).__name__


def _whole(name: str, value: Any) -> int:
    """Return a whole number from 0, also one of numpy's."""
    plain = _plain(value) if not isinstance(value, str) else value
    if not isinstance(plain, int) or isinstance(plain, bool) or plain < 0:
        raise ValueError(f"{name}={value!r}: it must be a whole number from 0")
    return plain


def _names(name: str, values: Any, wanted: str) -> tuple[Any, ...]:
    """Return texts or whole numbers, which JSON can hold; refuse a single text and other things."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ValueError(f"{name}={values!r}: give a list; {name} must be {wanted}")
    plain = tuple(map(_plain, values))
    for value in plain:
        if not isinstance(value, str | int):
            raise ValueError(f"{name} must be {wanted} ({value!r} is a {_kind(value)})")
    return plain


def _length(values: Any) -> int:
    return len(values) if hasattr(values, "__len__") and getattr(values, "ndim", None) != 0 else 0


def _array(name: str, values: Any, ids: Sequence[Id]) -> Tensor:
    """Return rows as one tensor, or say in one line which id's row is not like the others."""
    import torch

    from alvision.inference.predictions import as_tensor

    try:
        if isinstance(values, list) and any(isinstance(row, torch.Tensor) for row in values):
            array = torch.stack([as_tensor(row) for row in values])
        else:
            array = as_tensor(values)
    except (ValueError, TypeError, RuntimeError) as error:
        rows = list(values) if isinstance(values, Iterable) else []
        raise ValueError(f"{name}: {_odd_row(rows, ids) or error}") from error
    if not array.ndim:
        raise ValueError(f"{name}: give one row for each id, not a {_kind(values)}")
    return array


def _odd_row(rows: Sequence[Any], ids: Sequence[Id]) -> str | None:
    """Name the first row that holds no numbers, or other than as many as the first row."""
    from alvision.inference.predictions import as_tensor

    shape = None
    for id, row in zip(ids, rows, strict=False):
        try:
            own = list(as_tensor(row).shape)
        except (ValueError, TypeError, RuntimeError):
            return f"the row of {id!r} does not hold numbers"
        shape = own if shape is None else shape
        if own != shape:
            return f"the row of {id!r} is {own}, the first row {shape}"
    return None


def _predictions(ids: Sequence[Id], fields: dict[str, Tensor]) -> Predictions:
    from alvision.inference.predictions import Predictions

    return Predictions.of([str(id) for id in ids], **(fields if ids else {}))


def _as_select(acquire: Callable[..., Any]) -> Callable[..., Any]:
    """Return a select; a score becomes `top_k` of it."""
    import functools
    import inspect

    from alvision.acquisition import top_k

    names = inspect.signature(acquire).parameters
    return acquire if {"n", "rng"} <= set(names) else functools.partial(top_k, score=acquire)


def _shipped(name: str) -> Callable[..., Any]:
    import yaml

    folders = [Path("configs/acquisition"), CONFIG_DIR / "acquisition"]
    for folder in folders:
        path = folder / f"{name}.yaml"
        if path.is_file():
            node = yaml.safe_load(path.read_text(encoding="utf-8"))
            # Bare: a strategy's ValueError is already the line that `ask` promises.
            return doors.function(node, f"acquisition={name}", bare=True)
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise ValueError(f"acquisition={name} is unknown; there is: {', '.join(known)}")
