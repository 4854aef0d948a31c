"""The oracle of people without a server: a table to fill in, with copies of the images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from alvision.core.errors import UserError
from alvision.core.records import (
    AGAIN,
    Answer,
    AwaitingLabels,
    Event,
    Locate,
    Query,
    SampleId,
    answer_uuid,
)
from alvision.core.utc import as_text
from alvision.data.image_spec import ImageSpec
from alvision.labels.answers import allowed_answers, check_classes, parse_answer
from alvision.labels.csv_dialect import Row, read_table, write_table
from alvision.oracles.sheet import contact_sheet, copy_picture

if TYPE_CHECKING:
    from alvision.data.storage.stored_path import ImagePath

_BY = "files"
_COLUMNS = ("image", "id", "label", "by")


class FilesOracle:
    """Write a table into the round's folder, and read it when people have filled it in.

    The first call writes `<rounds>/<kkk>/to_label/`: copies of the images, `index.html` to look
    at them, and `answers.csv`, which is never overwritten. Rows are in a fixed random order and
    show neither slot nor prediction, so nobody can tell held-out images from others.

    Args:
        rounds: The run's folder of rounds.
        classes: The class names.
        run: Name of the run; part of every answer's uuid.
        votes: How many people must answer each image; from 2 on the column `by` must be filled.
        path_of: Returns an image's file; None if there is none (embeddings).
        locate: Finds the image of today by the id and the bytes that it was asked under.
        answered_elsewhere: Returns who answered each image in another tool; such a row may stay
            blank.
        spec: How the network reads images, and so how the copies show them.

    Raises:
        UserError: A class is called `skip` or `unsure`, or its name cannot be used.
    """

    def __init__(
        self,
        rounds: Path,
        *,
        classes: Sequence[str],
        run: str,
        votes: int,
        path_of: Callable[[SampleId], ImagePath | None],
        locate: Locate,
        answered_elsewhere: Callable[[], Mapping[SampleId, Collection[str]]] = dict,
        spec: ImageSpec | None = None,
    ) -> None:
        check_classes(classes)
        self._rounds = rounds
        self._classes = tuple(classes)
        self._run = run
        self._votes = votes
        self._path_of = path_of
        self._locate = locate
        self._answered_elsewhere = answered_elsewhere
        self._spec = spec

    def __call__(self, query: Query) -> list[Answer]:
        """Return everybody's answers once every row has them.

        Raises:
            AwaitingLabels: The table was just written, or is not filled in yet.
            UserError: Names the row, the value and what is allowed there.
        """
        if not query.rows:
            return []
        path = self._rounds / f"{query.round:03d}" / "to_label" / "answers.csv"
        if not path.exists():
            self._ask(query, path)
        return self._read(query, path)

    def _ask(self, query: Query, path: Path) -> NoReturn:
        folder = path.parent
        try:
            (folder / "images").mkdir(parents=True, exist_ok=True)
            pictures = list(self._copied(query, folder / "images"))
            sheet = contact_sheet(pictures, self._classes, round=query.round, votes=self._votes)
            (folder / "index.html").write_text(sheet, encoding="utf-8", newline="")
        except OSError as error:
            raise UserError(f"{folder} cannot be filled: {error}") from error
        # Comes last: with this file the folder is whole, without it the next call starts again.
        rows = [
            (f"images/{picture}" if picture else None, id, None, None) for id, picture in pictures
        ]
        write_table(path, _COLUMNS, rows * self._votes, bom=True)
        raise AwaitingLabels(
            f"{len(rows)} images to label: look at {folder / 'index.html'}, fill in the column"
            f" label of {path}, then run the same command again"
        )

    def _copied(self, query: Query, folder: Path) -> Iterator[tuple[SampleId, str | None]]:
        digits = max(3, len(str(len(query.rows))))
        mixed = sorted(query.rows, key=lambda row: _mix(self._run, query.round, row.id))
        for number, row in enumerate(mixed, start=1):
            today = self._locate(row.id, row.sha256)
            source = None if today is None else self._path_of(today)
            if source is None or not source.is_file():
                yield row.id, None
            else:
                yield (
                    row.id,
                    copy_picture(source, folder, f"{number:0{digits}d}", self._spec),
                )

    def _read(self, query: Query, path: Path) -> list[Answer]:
        table = read_table(path)
        table.require("id", "label")
        asked = {row.id: row.sha256 for row in query.rows}
        rows = [(row, _id(row, asked)) for row in table.rows]
        said = as_text(datetime.fromtimestamp(path.stat().st_mtime, UTC))  # when it was saved
        _check_ids(path, rows, asked)
        answers: dict[tuple[SampleId, str], tuple[int, Answer]] = {}
        for row, id in rows:
            answer = self._answer(row, id, query.round, path)
            if answer is None:
                continue
            # It is about the bytes that were copied, whatever lies under that name by now.
            answer = replace(answer, time=said, sha256=asked[id])
            number, earlier = answers.setdefault((id, answer.by), (row.number, answer))
            if earlier != answer:
                raise UserError(
                    f"{path}, row {row.number}: {answer.by} gave {id} another answer in row"
                    f" {number}: keep one of the two"
                )
        elsewhere = self._answered_elsewhere()
        again = {row.id for row in query.rows if row.slot in AGAIN}
        voters = {
            id: set() if id in again else set(elsewhere.get(self._locate(id, sha) or "", ()))
            for id, sha in asked.items()
        }
        for id, by in answers:
            voters[id].add(by)
        done = sum(len(by) >= (1 if id in again else self._votes) for id, by in voters.items())
        if done < len(asked):
            people = f" by {self._votes} people each" if self._votes > 1 else ""
            blank = any(not row.cells["label"].strip() for row in table.rows)
            # `labels.votes` may have been raised since the table was written.
            what = "fill in the rest of" if blank else "add a row for each answer that lacks to"
            raise AwaitingLabels(
                f"{done} of {len(asked)} images answered{people}: {what} {path}"
                f" ({allowed_answers(self._classes)}), then run the same command again"
            )
        return [answer for _, answer in answers.values()]

    def _answer(self, row: Row, id: SampleId, round: int, path: Path) -> Event | None:
        """Read one row; None while its label is blank."""
        text = row.cells["label"].strip()
        if not text:
            return None
        where, parsed = f"{path}, row {row.number}", parse_answer(text, self._classes)
        if parsed is None:
            allowed = allowed_answers(self._classes)
            raise UserError(f"{where}: {text!r} is not one of {allowed}: correct it")
        by = row.cells.get("by", "").strip()
        if not by and self._votes > 1:
            raise UserError(f"{where}: by is empty: write who answered")
        by, (kind, label) = by or _BY, parsed
        uuid = answer_uuid(self._run, round, id, by, kind, label)
        return Event(id, kind, label, by, round, uuid)


def _id(row: Row, asked: Collection[SampleId]) -> SampleId:
    cell = row.cells["id"]
    return cell if cell in asked else cell.strip()


def _check_ids(
    path: Path, rows: Sequence[tuple[Row, SampleId]], asked: Collection[SampleId]
) -> None:
    for row, id in rows:
        if id not in asked:
            raise UserError(
                f"{path}, row {row.number}: {row.cells['id']!r} was not asked for:"
                " restore the id or remove the row"
            )
    missing = sorted(set(asked) - {id for _, id in rows})
    if missing:
        raise UserError(
            f"{path} lacks {len(missing)} of {len(asked)} images (first: {missing[0]}):"
            " put their rows back, with id and label, or save the whole table again"
        )


def _mix(run: str, round: int, id: SampleId) -> bytes:
    return hashlib.blake2b(f"{run}\x1f{round}\x1f{id}".encode()).digest()
