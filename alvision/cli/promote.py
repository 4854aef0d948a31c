"""`promote`: a new model onto the line if it is no worse, and back."""

from __future__ import annotations

import sys
from pathlib import Path

from alvision.cli.console import bar, console
from alvision.cli.options import number, strange
from alvision.config.overrides import take
from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import Bundle, open_bundle
from alvision.deploy.bundle.swap_folder import install, locked, previous_of, recover, roll_back
from alvision.run_folder.load import load_run_config_in_place

REFUSED = 1
"""Exit status if the old model stays; 2 where the two cannot be compared at all."""


def promote(words: list[str]) -> int:
    """Put a bundle in the place of the line's if it is shown not to be worse, or go back."""
    if words and words[0] == "rollback":
        return _rollback(words[1:])
    keys = ("bundle", "over", "out", "margin", "margin.escape", "confidence", "independent", "to")
    taken_words, rest = take(words, *keys, "debug")
    if not {"bundle", "over"} <= taken_words.keys() or rest:
        raise UserError(
            "promote needs a bundle and the line's: alvision promote bundle=new.bundle "
            f"over=line.bundle margin=0.01, or alvision promote rollback over=line.bundle"
            f"{strange(rest)}"
        )
    new, line = open_bundle(Path(taken_words["bundle"])), Path(taken_words["over"])
    if line.resolve() == new.folder.resolve():
        raise UserError("bundle= and over= are one folder")
    recover(line)
    if not line.exists():
        with locked(line):
            install(new.folder, line, check=open_bundle)
        console.print(f"{line} is new on the line: there was nothing to compare with", markup=False)
        return 0
    old = open_bundle(line)
    if _same(old, new):
        console.print(f"{line} is this model already", markup=False)
        return 0
    return _replace(new, old, taken_words)


def _replace(new: Bundle, old: Bundle, words: dict[str, str]) -> int:
    from alvision.deploy.promote.compare import Terms, check_comparable, compare
    from alvision.deploy.train.labelled_data import load_labelled
    from alvision.reporting import promotion as page

    margin = number(words.get("margin", "0.01"), "margin", 0, 1)
    terms = Terms(
        margin=margin,
        escape_margin=number(words.get("margin.escape", str(margin)), "margin.escape", 0, 1),
        confidence=number(words.get("confidence", "0.95"), "confidence", 0, 1),
        independent=words.get("independent", "false").lower() == "true",
    )
    check_comparable(old, new)
    config = load_run_config_in_place(Path(words.get("out") or new.manifest.run))
    labelled = load_labelled(config)
    with bar("comparing") as progress:
        found = compare(old, new, labelled, terms, progress=progress)
    to = Path(words.get("to") or "promotion.html")
    to.parent.mkdir(parents=True, exist_ok=True)
    page.write(found, old, new, labelled, terms, to)
    for measure in found.measures:
        console.print(
            f"{measure.name}: {100 * measure.old:.1f} % on the line, {100 * measure.new:.1f} % "
            f"new; worse by {100 * measure.pairs.at_most:.1f} points at most, "
            f"{100 * terms.confidence:g} % sure (margin {100 * measure.margin:g})"
        )
    if found.reasons:
        reason = "; ".join(found.reasons)
        print(f"alvision: not promoted: {reason}; page: {to}", file=sys.stderr)
        return REFUSED

    def unchanged(copy: Path) -> None:
        if not _same(open_bundle(copy), new):
            raise UserError(f"{new.folder} changed meanwhile: give the command again")

    with locked(old.folder):
        install(new.folder, old.folder, check=unchanged)
    console.print(f"promoted: {old.folder}; page: {to}", markup=False)
    console.print(f"back again: alvision promote rollback over={old.folder}", markup=False)
    return 0


def _rollback(words: list[str]) -> int:
    given, rest = take(words, "over", "debug")
    if "over" not in given or rest:
        raise UserError(
            f"rollback needs the line's bundle: alvision promote rollback over=line.bundle"
            f"{strange(rest)}"
        )
    line = Path(given["over"])
    previous = previous_of(line)
    recover(line)
    recover(previous)
    if not previous.exists():
        raise UserError(f"there is no {previous}: nothing was promoted over {line}")
    open_bundle(previous)
    with locked(line):
        roll_back(line)
    console.print(f"{line} is the previous model again; the same command undoes this", markup=False)
    return 0


def _same(one: Bundle, other: Bundle) -> bool:
    """Tell whether two bundles are one model with the same thresholds."""
    return one.manifest == other.manifest and one.thresholds == other.thresholds
