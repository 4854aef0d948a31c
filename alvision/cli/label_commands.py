"""`labels`: export, import and verify the labels that were given."""

from __future__ import annotations

from pathlib import Path

from alvision.assembly import Sources, label_store, sources
from alvision.cli.commands import console, saved
from alvision.cli.compose import compose
from alvision.cli.overrides import take, tidy
from alvision.config import RunConfig
from alvision.data.hashes import content_hashes
from alvision.errors import UserError
from alvision.rounds import DOCUMENT


def labels(words: list[str]) -> int:
    """Export, import or verify labels."""
    from alvision.labels.exchange.csv_file import export_labels, import_labels
    from alvision.labels.verify import verify

    action, words = (words[0], words[1:]) if words else ("", [])
    if action not in ("export", "import", "verify"):
        raise UserError(
            "labels needs an action: alvision labels export|import|verify key=value ..."
        )
    taken, words = take(words, "to", "from", "by")
    config, data = _labelled(words)
    with label_store(config) as store:
        if action == "verify":
            problems = verify(
                store, ids=data.manifest.ids, hashes=data.hashes, classes=data.classes
            )
            for problem in problems:
                console.print(f"- {problem}", markup=False)
            console.print(f"{len(store.events())} events, {len(problems)} problems")
            return int(bool(problems))
        if action == "export":
            path = Path(taken.get("to") or "labels.csv")
            count = export_labels(store, path)
            console.print(f"{count} events written to {path}")
            return 0
        if "from" not in taken:
            raise UserError("labels import needs from=FILE, a table with the columns id and label")
        counts = import_labels(
            store,
            Path(taken["from"]),
            ids=data.manifest.ids,
            hashes=data.hashes,
            classes=data.classes,
            by=taken.get("by", "import"),
        )
        console.print(f"imported: {counts}", markup=False)
        return 0


def _labelled(words: list[str]) -> tuple[RunConfig, Sources]:
    """Find the store that is meant: a run's own by out=, else the one beside the data."""
    out = take([tidy(word) for word in words], "out")[0].get("out", "").strip("'")
    if out and (Path(out) / DOCUMENT).exists():
        config, manifest, spec = saved(Path(out))
        if manifest is None:
            raise UserError(f"the images of {out} are not where they were; give data.root=")
        config.out = out
        hashes = content_hashes(manifest)
        return config, Sources(manifest, hashes, spec, tuple(config.classes or ()))
    if out:
        raise UserError(f"{out} is not a run's folder: it has no {DOCUMENT}")
    config = compose(["oracle=files", *words]).config
    if config.classes is None:
        raise UserError('classes= is missing: the names that labels may have, "classes=[ok,worn]"')
    return config, sources(config)
