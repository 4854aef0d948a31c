"""A command's words are read once, and nothing that is typed is passed over in silence."""

from dataclasses import FrozenInstanceError, dataclass, fields
from importlib import import_module
from pathlib import Path

import pytest

from alvision.cli.help import COMMANDS
from alvision.cli.options import FALSE, TRUE, Options, option
from alvision.cli.promote import PromoteOptions
from alvision.cli.report import ShopReportOptions
from alvision.cli.threshold import ThresholdOptions
from alvision.cli.watch import WatchOptions
from alvision.config.limits import at_least, between, choice
from alvision.core.errors import UserError
from alvision.deploy.promote.rates import Terms
from alvision.watch.line import Setting


@dataclass(frozen=True, kw_only=True)
class Sample(Options):
    command = "sample"
    example = "alvision sample file=a.png"

    file: Path = option("The file.")
    share: float = option("A share.", default=0.5, limits=between(above=0, below=1))
    count: int | None = option("A count.", default=None, limits=at_least(1))
    form: str = option("A form.", default="short", limits=choice("short", "long"))
    names: tuple[str, ...] = option("Names.", default=("a",))
    quick: bool = option("Be quick.", key="be.quick", default=False)


def test_every_type_is_read():
    words = [
        "file=a b=c.png",
        "share=1e-1",
        "count=3.0",
        "form=long",
        "names=[x, y]",
        "be.quick=ON",
    ]
    assert Sample.parse(words) == Sample(
        file=Path("a b=c.png"), share=0.1, count=3, form="long", names=("x", "y"), quick=True
    )
    assert Sample.parse(["file=a", "names=x,y"]).names == ("x", "y")
    assert Sample.parse(["file='it\\'s here'"]).file == Path("it's here")


def test_options_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Sample.parse(["file=a"]).file = Path("b")


def test_an_empty_word_means_the_default_where_there_is_one():
    assert Sample.parse(["file=a", "form="]).form == "short"
    with pytest.raises(UserError, match=r"file= is missing: alvision sample file=a\.png"):
        Sample.parse(["file="])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "file= is missing"),
        (["fil=a"], r"no option fil= \(fil=a\); did you mean file=\? .*alvision sample --help"),
        (["file=a", "other=1"], r"no option other= \(other=1\) \("),
        (["a.png"], "'a.png' is not understood"),
        (["file=a", "file=b"], "file= is given twice"),
        (["file=a", "share=1"], "share=1 must be above 0 and below 1 \\(a share\\)"),
        (["file=a", "share=half"], "share=half must be a number \\(a share\\)"),
        (["file=a", "share=nan"], "share=nan"),
        (["file=a", "count=0"], "count=0 must be at least 1 \\(a count\\)"),
        (["file=a", "count=2.5"], "count=2.5 must be a whole number"),
        (["file=a", "count=inf"], "count=inf"),
        (["file=a", "form=tall"], "form=tall is unknown; one of: short, long"),
        (["file=a", "be.quick=maybe"], "be.quick=maybe must be true or false"),
        (["file=a", "be.quick="], "be.quick= must be true or false"),
        (["file=a", "debug=maybe"], "debug=maybe must be true or false"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_that_says_what_to_do(words, told):
    with pytest.raises(UserError, match=told) as caught:
        Sample.parse(words)
    assert "\n" not in str(caught.value)


def test_take_leaves_the_words_of_others_in_their_order():
    options, rest = Sample.take(["seed=1", "file=a", "debug=true", "data.root=x"])
    assert options == Sample(file=Path("a"))
    assert rest == ["seed=1", "debug=true", "data.root=x"]


YES_AND_NO = [(text, True) for text in (*TRUE, "True", "YES")] + [
    (text, False) for text in (*FALSE, "False", "NO")
]


@pytest.mark.parametrize(("text", "meant"), YES_AND_NO, ids=[text for text, _ in YES_AND_NO])
@pytest.mark.parametrize(
    ("options", "words", "field"),
    [
        (WatchOptions, "bundle=b images=i to=t once={}", "once"),
        (PromoteOptions, "bundle=b over=l independent={}", "independent"),
        (ThresholdOptions, "bundle=b threshold.independent={}", "independent"),
        (ShopReportOptions, "bundle=b threshold.independent={}", "independent"),
    ],
    ids=["watch once", "promote independent", "threshold independent", "report independent"],
)
def test_yes_and_no_mean_what_they_say(options, words, field, text, meant):
    assert getattr(options.parse(words.format(text).split()), field) is meant


def test_defaults_of_a_command_are_those_of_what_it_calls():
    watched = WatchOptions.parse(["bundle=b", "images=i", "to=t"])
    assert watched.setting() == Setting(Path("b"), Path("i"), Path("t"))
    promoted = PromoteOptions.parse(["bundle=b", "over=l"])
    assert (promoted.margin, promoted.confidence) == (Terms().margin, Terms().confidence)


def test_costs_come_in_pairs_and_without_a_share():
    for words in (["look=1"], ["scrap=1"], ["look=1", "scrap=2", "human=0.1"]):
        with pytest.raises(UserError, match="look= and scrap="):
            ThresholdOptions.parse(["bundle=b", *words])
    request = ThresholdOptions.parse(["bundle=b", "look=1", "scrap=20", "escape=0.1"]).request()
    assert (request.costs, request.escape, request.confidence) == ((1.0, 20.0), 0.1, 0.95)
    assert ThresholdOptions.parse(["bundle=b", "human=0"]).request().human == 0


def test_the_share_of_defects_on_the_line_is_for_a_person():
    request = ThresholdOptions.parse(["bundle=b", "human=0.1", "defect_share=0.01"]).request()
    assert request.defect_share == 0.01
    with pytest.raises(UserError, match="defect_share= is for human="):
        ThresholdOptions.parse(["bundle=b", "defect_share=0.01"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_usage_and_options_with_a_meaning(name):
    module = import_module(f"alvision.cli.{name}")
    assert callable(getattr(module, name))
    lines = module.USAGE.splitlines()
    assert lines[0].startswith(f"alvision {name}")
    assert max(map(len, lines)) <= 96
    for options in module.OPTIONS:
        assert options.command.startswith(name) and options.example
        for row in options.listed():
            assert row.meaning.endswith(".")
        assert len(options.listed()) == len(fields(options))
