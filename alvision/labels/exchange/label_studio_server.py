"""Exchange with a Label Studio server: push batches, pull everybody's answers."""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from alvision.core.errors import UserError
from alvision.core.records import Event, Query, SampleId
from alvision.labels.content import resolver
from alvision.labels.exchange import label_studio as form
from alvision.labels.exchange.import_answers import ImportCounts
from alvision.labels.store import LabelStore

_PAGE = 500
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class PullCounts(ImportCounts):
    """Count what a pull did besides: answers taken back there, and those older than one here."""

    taken_back: int = 0
    older: int = 0

    def __str__(self) -> str:
        back = f", {self.taken_back} taken back there" if self.taken_back else ""
        older = f", {self.older} older than the same person's answer here" if self.older else ""
        return f"{super().__str__()}{back}{older}"


class Server:
    """Talk to a server over its HTTP interface.

    Args:
        url: Its address, e.g. http://localhost:8080.
        token: A personal access token, or a legacy one.
        timeout: Seconds to wait for each answer.

    Raises:
        UserError: The server does not answer, or it refuses the token.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 120.0) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise UserError(f"server={url} is not an address: give one like http://localhost:8080")
        self.url = url.rstrip("/")
        self._timeout = timeout
        # A proxy of the company would not reach this machine.
        proxies: dict[str, str] | None = {} if urlsplit(url).hostname in _LOOPBACK else None
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
        self._authorization = f"Token {token}"
        if token.count(".") == 2:  # a personal access token only buys short-lived ones
            self._authorization = ""
            access = self.call("POST", "/api/token/refresh", {"refresh": token})["access"]
            self._authorization = f"Bearer {access}"

    def call(self, method: str, path: str, content: Any = None) -> Any:
        """Send JSON and return JSON."""
        body = None if content is None else json.dumps(content).encode()
        return self._send(method, path, body, "application/json")

    def upload(self, project: int, file: Path) -> str:
        """Upload an image and return its address on the server."""
        edge = uuid.uuid4().hex
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{file.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + file.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        path = f"/api/projects/{project}/import?commit_to_project=false"
        sent = self._send("POST", path, body, f"multipart/form-data; boundary={edge}")
        ids = quote(json.dumps(sent["file_upload_ids"]))
        (stored,) = self.call("GET", f"/api/projects/{project}/file-uploads?ids={ids}")
        return f"/data/{stored['file']}"

    def project(self, title: str) -> dict[str, Any] | None:
        """Return the project with this title; None if there is none."""
        page = 1
        while True:
            found = self.call("GET", f"/api/projects?page={page}&page_size={_PAGE}")
            for project in found["results"]:
                if project["title"] == title:
                    return self.call("GET", f"/api/projects/{project['id']}")
            if not found["next"]:
                return None
            page += 1

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """Return all tasks of a project, answered or not."""
        tasks: list[dict[str, Any]] = []
        page, total = 1, 1
        while len(tasks) < total:
            found = self.call("GET", f"/api/tasks?project={project}&page={page}&page_size={_PAGE}")
            tasks += found["tasks"]
            total, page = found["total"], page + 1
            if not found["tasks"]:
                break
        return tasks

    def _send(self, method: str, path: str, body: bytes | None, kind: str) -> Any:
        headers = {"Content-Type": kind}
        if self._authorization:
            headers["Authorization"] = self._authorization
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                return json.loads(response.read() or "null")
        except urllib.error.HTTPError as error:
            with error:
                message = error.read(2000).decode(errors="replace")
            if error.code == 401:
                raise UserError(
                    f"{self.url} refuses the token: put the one from your account page into"
                    " LABEL_STUDIO_API_KEY"
                ) from None
            raise UserError(f"{self.url} answers {error.code} to {path}: {message}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise UserError(
                f"no Label Studio answers at {self.url} ({reason}): start it, or correct server="
            ) from None


def push(
    server: Server,
    query: Query,
    *,
    title: str,
    classes: Sequence[str],
    hashes: Mapping[SampleId, str],
    copy: Callable[[SampleId, Path, str], Path | None],
) -> tuple[int, int]:
    """Put the images that a round asks for into a project; make the project if it is missing.

    Images that the project already has are not sent again, so pushing twice is harmless.

    Args:
        server: The server.
        query: The round's images.
        title: The project's.
        classes: The class names; new ones are added to the project.
        hashes: Each image's sha256.
        copy: Writes an image that browsers show into a folder, under a name without suffix;
            None if it has no file.

    Returns:
        How many images were sent, and how many were there already.
    """
    project = server.project(title) or server.call(
        "POST", "/api/projects", {"title": title, "label_config": form.configuration(classes)}
    )
    number = project["id"]
    config = form.with_classes(_repaired(project["label_config"], classes), classes)
    there = form.known(server.tasks(number))
    new = [row for row in query.rows if hashes.get(row.id) not in there]
    control = form.control(config)
    tasks = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            if new:
                _configure(server, number, form.PLAIN)
            for row in new:
                file = copy(row.id, Path(folder), hashes[row.id][:16])
                if file is None:
                    raise UserError(f"{row.id} has no image that could be shown")
                address = server.upload(number, file)
                tasks.append(
                    form.task(
                        row,
                        round=query.round,
                        sha256=hashes[row.id],
                        address=address,
                        control=control,
                    )
                )
    finally:
        _configure(server, number, config)
    if tasks:
        server.call("POST", f"/api/projects/{number}/import", tasks)
    return len(new), len(query.rows) - len(new)


def pull(
    server: Server,
    store: LabelStore,
    *,
    title: str,
    classes: Sequence[str],
    ids: Collection[SampleId],
    hashes: Mapping[SampleId, str],
) -> PullCounts:
    """Store every annotation of a project as a vote; pulling twice is harmless.

    What was deleted, cancelled or emptied over there is taken back here. An annotation that is
    older than a word of the same person here is left out: the newer word counts.

    Raises:
        UserError: The project does not exist, or an annotation is not a class.
    """
    project = server.project(title)
    if project is None:
        raise UserError(f"{server.url} has no project {title!r}: push first, or set project=")
    people = {user["id"]: user["email"] for user in server.call("GET", "/api/users")}
    number = project["id"]
    origin = f"Label Studio {server.url} project {number}"
    path = f"/api/projects/{number}/export?exportType=JSON&download_all_tasks=true"
    tasks = server.call("GET", path)
    resolve = resolver(ids, hashes)
    votes = form.events(
        tasks,
        people=people,
        classes=classes,
        id_of=lambda sha256: resolve(Event("", "skip", None, "", 0, "", sha256=sha256)),
        origin=origin,
    )
    log = store.events()
    before = {event.uuid for event in log}
    new = [vote for vote in votes if vote.uuid not in before]
    older = form.newer_here(new, log, resolve)
    new = [vote for vote in new if vote.uuid not in older]
    back = form.taken_back_there(tasks, log, origin=origin)
    store.append([*back, *new], hash_of=hashes.get)
    answers = sum(len(task["annotations"]) for task in tasks)
    known = len(votes) - len(new) - len(older)
    return PullCounts(len(new), known, answers - len(votes), len(back), len(older))


def _repaired(config: str, classes: Sequence[str]) -> str:
    """Return the configuration to keep; an interrupted push left the plain one behind."""
    return form.configuration(classes) if config == form.PLAIN else config


def _configure(server: Server, project: int, config: str) -> None:
    server.call("PATCH", f"/api/projects/{project}", {"label_config": config})
