"""`advice`: what to do next with a run, in sentences; `run` and `label` print the first of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alvision.advice.sentences import advise
from alvision.cli.console import console
from alvision.cli.options import Options, option
from alvision.core.rounds import read_document
from alvision.run_folder.facts import facts_of, with_labels
from alvision.run_folder.pool_audit import read_rates

if TYPE_CHECKING:
    from alvision.loop.experiment import Experiment

USAGE = """\
alvision advice out=runs/photos/uncertainty_herding/seed-0

Says what to do next with a run, the most useful first: how many answers until the
model learns, whether labels still pay, how good the model is and on how many images
that is known. It reads the run's folder and changes nothing. The same sentences are
on the labelling page, after each round on the terminal, and in the report."""


@dataclass(frozen=True, kw_only=True)
class AdviceOptions(Options):
    """The words of `advice`."""

    command = "advice"
    example = "alvision advice out=runs/elpv/margin/seed-0"

    out: Path = option("The folder of a run.")


OPTIONS = (AdviceOptions,)


def advice(words: list[str]) -> int:
    """Print what there is to say of a run."""
    from alvision.reporting.run.folder import read
    from alvision.reporting.run.summary import facts

    for sentence in advise(facts(read(AdviceOptions.parse(words).out))):
        console.print(str(sentence), markup=False, highlight=False, soft_wrap=True)
    return 0


def next_line(exp: Experiment, held_out: int = 0) -> str:
    """Return the one sentence of a run that is most useful now.

    Args:
        exp: The experiment; its folder is taken.
        held_out: Images that are held out, of which only the first sentence speaks.
    """
    history = [rnd.read("metrics.json") for rnd in exp.finished]
    facts = facts_of(read_document(exp.root), history, read_rates(exp.root, len(history)))
    facts = replace(facts, images=len(exp.candidates), held_out=held_out)
    return str(advise(with_labels(facts, Counter(exp.training(None).values())))[0])
