"""`promote`: put a new bundle on the line if it is shown to be no worse, or go back."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.cli.console import bar, console
from alvision.cli.options import Options, near_action, option
from alvision.config.limits import between
from alvision.core.errors import UserError
from alvision.core.shell import command

if TYPE_CHECKING:
    from alvision.deploy.bundle.bundle import Bundle
    from alvision.deploy.bundle.line_record import LineRecord

USAGE = """\
alvision promote bundle=new.bundle over=line.bundle margin=0.01
alvision promote rollback over=line.bundle

Compares both models on the monitor images, which neither was trained on. The new
bundle replaces the old one if its error rate, escape rate and overkill rate are
each shown to be at most margin= higher, and if no known defect newly escapes.
Otherwise the line stays as it is, the reason is one line, and the status is 1.
At most one image of each lot counts, because parts of one lot are alike;
independent=true counts them all. The page shows the pictures on which the two
models differ. The old bundle is kept as line.bundle.previous; rollback swaps the
two, and a second rollback swaps them again."""

REFUSED = 1
"""Exit status if the old model stays; 2 where the two cannot be compared at all."""

SHARE = between(above=0, below=1)


@dataclass(frozen=True, kw_only=True)
class PromoteOptions(Options):
    """The words of `promote`."""

    command = "promote"
    example = (
        "alvision promote bundle=new.bundle over=line.bundle margin=0.01, or "
        "alvision promote rollback over=line.bundle"
    )

    bundle: Path = option("The new bundle.")
    over: Path = option("The line's bundle, which it replaces.")
    out: Path | None = option(
        "The run that the new bundle comes from, if its folder has moved.",
        default=None,
        shown="as the bundle says",
    )
    margin: float = option(
        "By how much a rate may be higher than the old model's.", default=0.01, limits=SHARE
    )
    escape_margin: float | None = option(
        "The same for the escape rate alone.",
        key="margin.escape",
        default=None,
        limits=SHARE,
        shown="margin",
    )
    confidence: float = option(
        "Probability that a model which is worse by its margin is refused.",
        default=0.95,
        limits=SHARE,
    )
    independent: bool = option(
        "Count every image, even where several come from one group.", default=False
    )
    to: Path = option("The page about the comparison.", default=Path("promotion.html"))


@dataclass(frozen=True, kw_only=True)
class RollbackOptions(Options):
    """The words of `promote rollback`."""

    command = "promote rollback"
    example = "alvision promote rollback over=line.bundle"

    over: Path = option("The line's bundle, whose previous one comes back.")


OPTIONS = (PromoteOptions, RollbackOptions)


def promote(words: list[str]) -> int:
    """Put a bundle in the place of the line's if it is shown not to be worse, or go back."""
    if words and words[0] == "rollback":
        return _rollback(RollbackOptions.parse(words[1:]))
    if words and (near := near_action(words[0], ["rollback"])):
        raise UserError(f"promote has no action {words[0]!r}{near}")
    options = PromoteOptions.parse(words)

    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.bundle.line_record import LineRecord, how_tested
    from alvision.deploy.bundle.swap_folder import install, locked, recover

    new, line = open_bundle(options.bundle), options.over
    if line.resolve() == new.folder.resolve():
        raise UserError("bundle= and over= are one folder")
    recover(line)
    if not line.exists():
        with locked(line):
            if line.exists():
                raise _changed(line)
            install(new.folder, line, check=lambda copy: _ready(copy, new, LineRecord(new.model)))
        console.print(how_tested(open_bundle(line)), markup=False)
        return 0
    old = open_bundle(line)
    if _same(old, new):
        console.print(f"{line} is this model already", markup=False)
        return 0
    return _replace(new, old, options)


def _replace(new: Bundle, old: Bundle, options: PromoteOptions) -> int:
    from alvision.deploy.bundle.line_record import LineRecord
    from alvision.deploy.bundle.promise import percent_sure
    from alvision.deploy.bundle.swap_folder import install, locked
    from alvision.deploy.promote.compare import check_comparable, compare
    from alvision.deploy.promote.rates import Terms
    from alvision.deploy.promote.tries import begin_try
    from alvision.deploy.threshold.binomial import percent_up
    from alvision.deploy.train.labelled_data import load_labelled, run_config_of_today
    from alvision.reporting import promotion as page

    terms = Terms(
        margin=options.margin,
        escape_margin=options.margin if options.escape_margin is None else options.escape_margin,
        confidence=options.confidence,
        independent=options.independent,
    )
    check_comparable(old, new)
    config = run_config_of_today(options.out or Path(new.manifest.run))
    labelled = load_labelled(config)
    begun = begin_try(old, new, labelled, config, terms)
    with bar("comparing") as progress:
        found = compare(old, new, labelled, begun.terms, ids=begun.ids, progress=progress)
    to = options.to
    to.parent.mkdir(parents=True, exist_ok=True)
    page.write(found, old, new, labelled, begun, to)
    for measure in found.measures:
        console.print(
            f"{measure.name}: {100 * measure.old:.1f} % on the line, {100 * measure.new:.1f} % "
            f"new; worse by {percent_up(measure.pairs.at_most)} points at most, "
            f"{percent_sure(begun.terms.confidence)} % sure (margin {100 * measure.margin:g})"
        )
    if begun.note:
        console.print(begun.note, markup=False)
    if found.reasons:
        reason = "; ".join(found.reasons)
        print(f"alvision: not promoted: {reason}; page: {to}", file=sys.stderr)
        return REFUSED

    record = LineRecord(
        new.model,
        old.model,
        confidence=begun.terms.confidence,
        margin=terms.margin,
        escape_margin=terms.escape_margin,
        number=begun.number,
    )
    with locked(old.folder):
        if not _holds(old.folder, old):
            raise _changed(old.folder)
        install(new.folder, old.folder, check=lambda copy: _ready(copy, new, record))
    console.print(f"promoted: {old.folder}; page: {to}", markup=False)
    console.print(
        f"back again: {command('alvision', 'promote', 'rollback', f'over={old.folder}')}",
        markup=False,
    )
    return 0


def _ready(copy: Path, new: Bundle, record: LineRecord) -> None:
    """Make a copy of the new bundle ready for the line.

    Raises:
        UserError: It is not what was compared, or it cannot decide about its golden images.
    """
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.bundle.golden import try_out
    from alvision.deploy.bundle.line_record import write_record

    found = open_bundle(copy)
    if not _same(found, new):
        raise _changed(new.folder)
    try_out(found)
    write_record(copy, record)


def _changed(folder: Path) -> UserError:
    return UserError(f"{folder} changed meanwhile: give the command again")


def _rollback(options: RollbackOptions) -> int:
    from alvision.deploy.bundle.bundle import open_bundle
    from alvision.deploy.bundle.golden import try_out
    from alvision.deploy.bundle.line_record import how_tested
    from alvision.deploy.bundle.swap_folder import locked, previous_of, recover, roll_back

    line = options.over
    previous = previous_of(line)
    recover(line)
    if not previous.exists():
        raise UserError(f"there is no {previous}: nothing was promoted over {line}")
    with locked(line):
        back = open_bundle(previous)
        if _holds(line, back):
            raise UserError(
                f"{previous} is the model that is on the line already: there is nothing to go back "
                "to"
            )
        try_out(back)
        roll_back(line)
    console.print(how_tested(open_bundle(line)), markup=False)
    console.print(f"{line} is the previous model again; the same command undoes this", markup=False)
    return 0


def _holds(line: Path, bundle: Bundle) -> bool:
    """Tell whether the line has this model; a line that cannot be opened has none."""
    from alvision.deploy.bundle.bundle import open_bundle

    try:
        return _same(open_bundle(line), bundle)
    except UserError:
        return False


def _same(one: Bundle, other: Bundle) -> bool:
    """Tell whether two bundles are one model with the same thresholds."""
    return one.manifest == other.manifest and one.thresholds == other.thresholds
