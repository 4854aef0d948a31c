"""List what the benchmark runs: protocols, strategies and seeds, stated before any result."""

from __future__ import annotations

from dataclasses import dataclass

COMMON = (
    "random_sampling", "margin", "power_margin", "bald", "batch_bald", "badge", "k_center",
    "typiclust", "max_herding", "uncertainty_herding",
)  # fmt: skip
"""Strategies of every protocol with a frozen trunk. Of two classes, entropy is margin."""

MULTICLASS = (*COMMON, "entropy")
RARE = (*COMMON, "similar_to_defects")
FINETUNED = ("random_sampling", "margin", "badge", "k_center")
SMALL_CNN = (
    "model=small", "data.image.size=64", "budget.initial=60", "budget.batch=60", "budget.rounds=3",
    "trainer.epochs=15", "trainer.learning_rate=0.003", "trainer.batch_size=16",
    "trainer.patience=15", "cold_start.per_class=0",
)  # fmt: skip


@dataclass(frozen=True)
class Protocol:
    """One study of the benchmark.

    Attributes:
        name: Its name, and that of its file in benchmarks/.
        experiment: The experiment in configs/experiment that it runs.
        data: What kind of data it stands for, after "if your data has ...".
        strategies: What is compared.
        seeds: Number of seeds.
        more: Words for `alvision compare` beside the experiment.
        finetuned: The whole net is trained each round, not a head on frozen features.
        curves_of: The protocol whose images it asks for; only the minutes are its own.
    """

    name: str
    experiment: str
    data: str
    strategies: tuple[str, ...] = COMMON
    seeds: int = 12
    more: tuple[str, ...] = ()
    finetuned: bool = False
    curves_of: str = ""

    @property
    def needs_steel(self) -> bool:
        """Tell whether the images of X-SDD are needed, which no package brings."""
        return self.experiment == "xsdd"


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("digits", "digits", "several clear classes of like size", MULTICLASS),
        Protocol(
            "repeated_digits",
            "repeated_digits",
            "many near duplicates (video, bursts, one part many times)",
            MULTICLASS,
        ),
        Protocol("elpv", "elpv", "good parts and bad ones, with doubtful cases"),
        Protocol("xsdd", "xsdd", "several kinds of defects that differ in looks", MULTICLASS),
        Protocol("elpv_rare", "elpv_rare", "one defect in a hundred, and none is known", RARE),
        Protocol("elpv_known", "elpv_known", "one defect in a hundred, and a few are known", RARE),
        Protocol("elpv_noisy", "elpv_noisy", "labels of people who disagree on doubtful cases"),
        Protocol("elpv_confused", "elpv_confused", "labels of people who overlook defects"),
        Protocol(
            "elpv_cost", "elpv_cost", "defects that take longer to label", curves_of="elpv"
        ),
        Protocol(
            "elpv_small_cnn", "elpv", "good parts and bad ones, and a small CNN learns them alone",
            FINETUNED, 8, SMALL_CNN, True,
        ),
        Protocol(
            "xsdd_small_cnn", "xsdd", "several kinds of defects, and a small CNN learns them alone",
            FINETUNED, 8, SMALL_CNN, True,
        ),
    )
}  # fmt: skip

SUBSET = {"digits": ("random_sampling", "margin", "k_center"), "elpv": ("random_sampling", "badge")}
"""What `--check` remakes from scratch, seed 0 of each, and compares pick by pick."""
