"""`labels`: export, import and verify the labels that were given."""

from __future__ import annotations

from pathlib import Path

from alvision.cli.commands import console, saved
from alvision.cli.compose import compose
from alvision.cli.overrides import take, tidy
from alvision.config import RunConfig
from alvision.data.hashes import content_hashes
from alvision.data.manifest import build
from alvision.dataset import label_store
from alvision.errors import UserError


def labels(words: list[str]) -> int:
    """Export, import or verify labels."""
    from alvision.delivery.drawer import seal
    from alvision.labels.exchange.csv_file import export_labels, images_named, import_labels
    from alvision.labels.verify import verify

    action, words = (words[0], words[1:]) if words else ("", [])
    if action not in ("export", "import", "verify"):
        raise UserError(
            "labels needs an action: alvision labels export|import|verify key=value ..."
        )
    taken, words = take(words, "to", "from", "by", "slot")
    config = _config(words)
    if action == "import" and config.classes is None:
        raise UserError('classes= is missing: the names that labels may have, "classes=[ok,worn]"')
    with label_store(config) as store:
        if action == "export":
            path = Path(taken.get("to") or "labels.csv")
            console.print(f"{export_labels(store, path)} events written to {path}", markup=False)
            return 0
        manifest = build(config.data)
        ids, hashes = manifest.ids, content_hashes(manifest)
        if action == "verify":
            classes = config.classes or sorted({e.label for e in store.events() if e.label})
            problems = verify(store, ids=ids, hashes=hashes, classes=classes)
            for problem in problems:
                console.print(f"- {problem}", markup=False)
            console.print(f"{len(store.events())} events, {len(problems)} problems")
            return int(bool(problems))
        if "from" not in taken:
            raise UserError("labels import needs from=FILE, a table with the columns id and label")
        if taken.get("slot", "seal") != "seal":
            raise UserError(f"slot={taken['slot']} is unknown: slot=seal, or leave it out")
        if "slot" in taken:
            seal(config, manifest, hashes, images_named(Path(taken["from"]), ids))
        counts = import_labels(
            store,
            Path(taken["from"]),
            ids=ids,
            hashes=hashes,
            classes=config.classes or (),
            by=taken.get("by", "import"),
        )
        console.print(f"imported: {counts}", markup=False)
        return 0


def _config(words: list[str]) -> RunConfig:
    """Find whose labels are meant: a run's own by out=, else those beside the data."""
    out = take([tidy(word) for word in words], "out")[0].get("out", "").strip("'")
    if not out:
        return compose(["oracle=files", *words]).config
    config, _, _ = saved(Path(out))
    config.out = out
    return config
