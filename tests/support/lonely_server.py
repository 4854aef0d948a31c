"""The page's server without a loop: `python -m tests.support.lonely_server FOLDER URL PORT`.

Every image of its data set is one small file, so that there are many of them.
"""

import sys
from pathlib import Path

import uvicorn

from alvision.evaluation.metrics import metric
from alvision.labels.store import LabelStore
from alvision.page.app import Page
from alvision.page.guard import Guard
from alvision.page.server import listen
from alvision.page.state import PageContext

IMAGES = 30_000
CLASSES = ("ok", "worn", "bent")


def main(folder: Path, url: str, port: int) -> None:
    with (
        LabelStore(url, shared=True) as store,
        store.database.held(),
        listen("127.0.0.1", port) as at,
    ):
        paths = {f"{i:05d}.png": folder / "image.png" for i in range(IMAGES)}
        setting = PageContext(
            root=folder / "run", store=store, paths=paths, held_out=frozenset(),
            secret=bytes(32), cache=folder / "cache", metric=metric("macro_f1"), classes=CLASSES,
        )  # fmt: skip
        app = Guard(Page(setting).app, token=None)
        config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
        uvicorn.Server(config).run(sockets=[at])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
