"""Label Studio's export as a file (JSON): what people chose and drew on its tasks."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

from alvision.labels.exchange.foreign import ForeignImage
from alvision.labels.exchange.read_json import Node

_KINDS = (
    "choices", "rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels",
)  # fmt: skip
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")


def read(file: Node) -> list[ForeignImage]:
    """Return the answer of each annotation; cancelled ones are left out.

    A task without an annotation is an image without a label, whatever the rule for no boxes says:
    nobody has looked at it.

    Raises:
        UserError: A task is not about one image.
    """
    images = []
    for task in file:
        if task["data"].value is None:
            raise task.wrong("has no data: export from Label Studio as JSON, not JSON-MIN")
        name, sha256 = _name(task["data"]), task["data"]["sha256"].value
        sha256 = sha256 if isinstance(sha256, str) else None
        for annotation in task["annotations"] if task["annotations"].value is not None else ():
            if annotation["was_cancelled"].value is True:
                continue
            classes = tuple(_classes(annotation))
            by = _by(annotation["completed_by"])
            images.append(ForeignImage(name, classes, annotation.where, by, sha256))
    return images


def _classes(annotation: Node) -> list[str]:
    if annotation["result"].value is None:
        return []
    found = []
    for result in annotation["result"]:
        kind = result["type"].value
        if kind in _KINDS:
            found += [name.as_(str) for name in result["value"][kind]]
    return found


def _name(data: Node) -> str:
    """Return the path of a task's image, without the server's address around it."""
    texts = {key: node.value for key, node in data.items() if isinstance(node.value, str)}
    paths = {key: _path(text) for key, text in texts.items()}
    pictures = [key for key, path in paths.items() if path.lower().endswith(_PICTURES)]
    key = "image" if "image" in paths else pictures[0] if len(pictures) == 1 else None
    if key is None:
        raise data.wrong(f"names {'several images' if pictures else 'no image'}, one is needed")
    return paths[key]


def _path(address: str) -> str:
    parts = urlsplit(address) if "://" in address or address.startswith("/") else None
    if parts is None:
        return address
    local = parse_qs(parts.query).get("d")  # /data/local-files/?d=parts/a.png
    path = local[0] if local else unquote(parts.path)
    return str(PurePosixPath(path.removeprefix("/data/upload/")))


def _by(node: Node) -> str | None:
    if isinstance(node.value, dict):
        email = node["email"].value
        return str(email) if email else f"label studio {node['id'].value}"
    return None if node.value is None else f"label studio {node.value}"
