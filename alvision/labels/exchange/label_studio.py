"""Label Studio's formats: the project's configuration, tasks with predictions, annotations."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree as Xml

from alvision.core.errors import UserError
from alvision.core.label_sets import ADVICE
from alvision.core.records import Event, QueryRow, SampleId
from alvision.core.utc import normalised, now
from alvision.labels.answers import parse_answer
from alvision.labels.consensus import Resolve, standing, taken_back

_NAMESPACE = uuid.UUID("0b0f5b7a-52f5-5d1c-8f0e-6d2a4f7d9c11")
UNSURE = "unsure"
PLAIN = '<View><Image name="image" value="$image"/></View>'
"""A project's configuration while images are uploaded: a task may hold nothing but an image."""


@dataclass(frozen=True)
class Control:
    """Describe where a project's configuration asks for the class.

    Attributes:
        name: Of the choices.
        image: Name of the image that they are about.
        key: The image's key in a task's data.
        choices: What can be chosen.
    """

    name: str
    image: str
    key: str
    choices: tuple[str, ...]


def configuration(classes: Sequence[str]) -> str:
    """Return a project's configuration: the image, the classes, unsure, and why it was chosen.

    Raises:
        UserError: A class's name holds a control character.
    """
    view = Xml.Element("View")
    Xml.SubElement(view, "Header", value="$reason", size="5")
    Xml.SubElement(view, "Image", name="image", value="$image", zoom="true")
    Xml.SubElement(view, "Choices", name="choice", toName="image", showInline="true")
    return with_classes(Xml.tostring(view, encoding="unicode"), (*classes, UNSURE))


def control(config: str) -> Control:
    """Find the choices in a project's configuration.

    Raises:
        UserError: It does not ask for a class of an image.
    """
    view = Xml.fromstring(config)
    choices = next(view.iter("Choices"), None)
    image = next(view.iter("Image"), None)
    if choices is None or image is None:
        raise UserError(
            "the Label Studio project does not ask for the class of an image (Image, Choices): name"
            " a new one in project="
        )
    values = tuple(choice.get("value", "") for choice in choices.iter("Choice"))
    key = image.get("value", "").lstrip("$")
    return Control(choices.get("name", ""), image.get("name", ""), key, values)


def with_classes(config: str, classes: Sequence[str]) -> str:
    """Return a configuration with the missing classes added.

    Raises:
        UserError: A class's name holds a control character.
    """
    view = Xml.fromstring(config)
    choices = next(view.iter("Choices"))
    there = {choice.get("value") for choice in choices.iter("Choice")}
    for name in classes:
        if not can_choose(name):
            raise UserError(
                f"{name!r} holds a character that Label Studio's XML cannot: rename the class"
            )
        if name not in there:
            Xml.SubElement(choices, "Choice", value=name)
    return Xml.tostring(view, encoding="unicode")


def can_choose(name: str) -> bool:
    """Tell whether XML can hold a name: it cannot hold control characters and surrogates."""
    return not any(
        (mark < " " and mark not in "\t\n\r")
        or "\ud800" <= mark <= "\udfff"
        or mark in "\ufffe\uffff"
        for mark in name
    )


def task(
    row: QueryRow, *, round: int, sha256: str, address: str, control: Control
) -> dict[str, Any]:
    """Return an asked image as a task.

    It is named by its content, because a path may reveal the class. The model's opinion becomes a
    prediction with the strategy's score; a held-out image has none.
    """
    data = {
        control.key: address,
        "sha256": sha256,
        "round": round,
        "rank": row.rank,
        "score": row.score,
        "reason": row.reason,
    }
    if row.prediction is None:
        return {"data": data, "predictions": []}
    result = {
        "from_name": control.name,
        "to_name": control.image,
        "type": "choices",
        "value": {"choices": [row.prediction]},
    }
    prediction = {"model_version": f"round {round}", "score": row.score, "result": [result]}
    return {"data": data, "predictions": [prediction]}


def events(
    tasks: Iterable[Mapping[str, Any]],
    *,
    people: Mapping[int, str],
    classes: Sequence[str],
    id_of: Callable[[str], SampleId | None],
    origin: str = "Label Studio",
) -> list[Event]:
    """Read every annotation of an export as one vote, in the order given.

    Cancelled annotations, drafts and those without a result are left out, and so are tasks that
    were not pushed from here or whose image is missing. The uuid depends on the annotation and
    its last change: reading it twice gives the same event, a changed annotation a new one.

    Args:
        tasks: The export, exportType=JSON.
        people: Names by user number.
        classes: The class names.
        id_of: Returns the image with this sha256.
        origin: Names the server and the project, so that `taken_back_there` knows its own.

    Raises:
        UserError: An annotation chose something that is not a class.
    """
    votes = []
    for task in tasks:
        sha256 = task.get("data", {}).get("sha256")
        id = id_of(sha256) if isinstance(sha256, str) else None
        if id is None:
            continue
        for annotation in task.get("annotations", ()):
            choice = _standing_choice(annotation)
            if choice is None:
                continue
            answer = parse_answer(choice, classes)
            if answer is None:
                raise UserError(
                    f"Label Studio's task {task.get('id')} was answered {choice!r}, which is not"
                    f" one of {', '.join([*classes, UNSURE])}: add it to classes"
                )
            kind, label = answer
            name = f"{_name(annotation)}|{annotation['updated_at']}"
            vote = Event(
                id=id,
                kind=kind,
                label=label,
                by=_by(annotation.get("completed_by"), people),
                round=int(task["data"].get("round") or 0),
                uuid=str(uuid.uuid5(_NAMESPACE, name)),
                seconds=annotation.get("lead_time"),
                sha256=sha256,
                note=_note(origin, annotation),
                time=normalised(annotation["updated_at"]),
            )
            votes.append((annotation["updated_at"], vote))
    return [vote for _, vote in sorted(votes, key=lambda pair: pair[0])]


def taken_back_there(
    tasks: Iterable[Mapping[str, Any]], log: Iterable[Event], *, origin: str
) -> list[Event]:
    """Return the undos of votes whose annotation was deleted, cancelled or emptied over there.

    A vote stands while its task is not in the export: whoever clears a project of finished tasks
    takes no answer back. Votes that earlier versions pulled do not say which annotation they were.

    Args:
        tasks: The export with all tasks, those without annotations too.
        log: The events that are here.
        origin: As it was given to `events`.
    """
    tasks, log = list(tasks), tuple(log)
    asked = known(tasks)
    there = {
        _note(origin, annotation)
        for task in tasks
        for annotation in task.get("annotations", ())
        if _standing_choice(annotation) is not None
    }
    back = taken_back(log)
    return [
        replace(
            event,
            kind="undo",
            label=None,
            uuid=str(uuid.uuid5(_NAMESPACE, f"undo|{event.uuid}")),
            seconds=None,
            number=0,
            target=event.uuid,
            note="taken back in Label Studio",
            book=None,
            time=now(),
        )
        for event in log
        if event.kind in ("label", "skip", "unsure")
        and event.uuid not in back
        and event.sha256 in asked
        and (event.note or "").startswith(_note(origin, {}))
        and event.note not in there
    ]


def newer_here(votes: Iterable[Event], log: Iterable[Event], resolve: Resolve) -> set[str]:
    """Return the uuids of votes whose author has said something here since.

    They are old words, however late they arrive, and must not go above the newer one.
    """
    said = {
        (id, event.by): event
        for id, answers in standing(log, resolve).items()
        for event in answers
        if event.kind != "import"
    }
    return {
        vote.uuid
        for vote in votes
        if (later := said.get((resolve(vote) or vote.id, vote.by)))
        and later.time
        and vote.time
        and later.time > vote.time
    }


def known(tasks: Iterable[Mapping[str, Any]]) -> Collection[str]:
    """Return the sha256 of the images that a project has already."""
    found = (task.get("data", {}).get("sha256") for task in tasks)
    return {sha256 for sha256 in found if isinstance(sha256, str)}


def _name(annotation: Mapping[str, Any]) -> str:
    return str(annotation.get("unique_id") or annotation["id"])


def _note(origin: str, annotation: Mapping[str, Any]) -> str:
    """Name an annotation in the log; without one, return what all such notes begin with."""
    return f"{origin}, annotation {_name(annotation) if annotation else ''}"


def _standing_choice(annotation: Mapping[str, Any]) -> str | None:
    """Return what an annotation chose; None where it is empty or was cancelled.

    Raises:
        UserError: It chose several classes.
    """
    if annotation.get("was_cancelled"):
        return None
    chosen = {
        str(choice): None
        for result in annotation.get("result") or ()
        if result.get("type") == "choices"
        for choice in result.get("value", {}).get("choices") or ()
    }
    if len(chosen) > 1:
        raise UserError(
            f"Label Studio's annotation {annotation.get('id')} chose several classes"
            f" ({', '.join(chosen)}); {ADVICE}"
        )
    return next(iter(chosen), None)


def _by(completed_by: Any, people: Mapping[int, str]) -> str:
    if isinstance(completed_by, Mapping):
        return str(completed_by.get("email") or completed_by.get("id"))
    return people.get(completed_by, f"label studio {completed_by}")
