import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from alvision.cli import main
from alvision.core.errors import UserError
from alvision.deploy.bundle.bundle import open_bundle
from alvision.deploy.bundle.line_record import FILE
from alvision.deploy.bundle.predict import predictions_for
from alvision.deploy.bundle.swap_folder import previous_of
from alvision.deploy.bundle.thresholds import Overkill, Thresholds
from alvision.deploy.promote.compare import check_comparable, compare
from alvision.deploy.promote.rates import Terms
from tests.support import grey
from tests.support.parts import imported

imported("onnxruntime")
imported("onnx")

PROMISE = Thresholds(low=0.5, high=0.5, escape=0.1, confidence=0.95)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Return a run's folder, its labels and what may be judged by them."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALVISION_CACHE", str(folder / "cache"))
        yield grey.shop(folder, 60)[:2]


@pytest.fixture
def bundles(shop, tmp_path, monkeypatch):
    """Return a function that writes a bundle by its cut; 0.5 makes no error."""
    monkeypatch.chdir(tmp_path)
    run, labelled = shop
    for log in run.parent.rglob("promotions.jsonl"):
        log.unlink()  # every test is the first try on the monitor images
    trained = [labelled.data.hashes[id] for id in labelled.training]

    def write(name, cut, **changes):
        return grey.write(tmp_path / name, cut, run, **{"trained_on": trained} | changes)

    return write


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_better_model_takes_over_and_rollback_brings_the_old_one_back(bundles, capsys):
    line, new = bundles("line", 0.62), bundles("new", 0.5)
    old, fresh = files(line.folder), files(new.folder)
    assert main(["promote", "bundle=new", "over=line", "margin=0.2"]) == 0
    said = capsys.readouterr().out
    assert "promoted: line" in said and "alvision promote rollback over=line" in said
    fresh[FILE] = (line.folder / FILE).read_bytes()
    assert files(line.folder) == fresh
    assert main(["promote", "bundle=new", "over=line"]) == 0
    assert "is this model already" in capsys.readouterr().out
    for now in (old, fresh):
        assert main(["promote", "rollback", "over=line"]) == 0
        assert files(line.folder) == now
    page = (new.folder.parent / "promotion.html").read_text(encoding="utf-8")
    assert "The new model takes over" in page and "Bad parts that newly escape: none" in page
    assert page.count("data:image/jpeg") > 5


def test_rollback_refuses_to_do_nothing_and_works_over_a_damaged_line(bundles, capsys):
    line = bundles("line", 0.62)
    shutil.copytree(line.folder, previous_of(line.folder))
    assert main(["promote", "rollback", "over=line"]) == 2
    assert "is the model that is on the line already" in capsys.readouterr().err
    whole = files(line.folder)
    (line.folder / "model.onnx").write_bytes(b"damaged")
    assert main(["promote", "rollback", "over=line"]) == 0
    assert files(line.folder) == whole


def test_a_model_that_lets_a_known_defect_pass_is_refused(bundles, capsys):
    line, _ = bundles("line", 0.5), bundles("new", 0.62)
    before = files(line.folder)
    words = ["promote", "bundle=new", "over=line", "margin=0.6", "to=pages/why.html"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and re.search(r"not promoted: \d+ known defects newly esc", told)
    assert files(line.folder) == before and not line.folder.with_name("line.previous").exists()
    page = (line.folder.parent / "pages" / "why.html").read_text(encoding="utf-8")
    assert "The old model stays" in page and "was trained on" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page) and "http" not in page
    assert main(["promote", "rollback", "over=line"]) == 2
    assert "nothing was promoted over line" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_not_shown_is_refused(bundles, capsys):
    bundles("line", 0.5), bundles("new", 0.51)
    assert main(["promote", "bundle=new", "over=line"]) == 1
    told = capsys.readouterr().err
    assert "may be up to" in told and "models that agree on all of them need 299" in told
    assert main(["promote", "bundle=new", "over=line", "margin=0.2", "margin.escape=0.001"]) == 1
    told = capsys.readouterr().err
    assert "the escape rate may" in told and "the error rate" not in told


def test_the_first_model_needs_no_comparison(bundles, capsys):
    new = bundles("new", 0.5)
    assert main(["promote", "bundle=new", "over=shop/line"]) == 0
    assert "put on the line without a test" in capsys.readouterr().out
    line = new.folder.parent / "shop" / "line"
    assert files(line) == files(new.folder) | {FILE: (line / FILE).read_bytes()}


def test_what_cannot_be_compared_is_one_line(bundles, shop, capsys):
    run, _ = shop
    bundles("line", 0.5), bundles("new", 0.51)
    (run.parent / "parts").rename(run.parent / "moved")
    for words, expected in (
        (["bundle=new", "over=line"], "are not where they were"),
        (["bundle=new"], "over= is missing: alvision promote"),
        (["bundle=new", "over=line", "colour=red"], "no option colour="),
        (["bundle=line", "over=line"], "are one folder"),
        (["bundle=new", "over=line", "margin=2"], "margin=2 must be above 0"),
        (["bundle=new", "over=."], "is no bundle"),
    ):
        assert main(["promote", *words]) == 2
        line = capsys.readouterr().err
        assert expected in line and line.count("\n") == 1
    (run.parent / "moved").rename(run.parent / "parts")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"classes": ["ok", "torn"], "defects": ["torn"]}, {}, "knows the class torn"),
        ({}, {"defects": []}, "worn is a defect on the line"),
        ({"promise": PROMISE}, {}, "the line has a promise and .* has none"),
        ({"promise": PROMISE}, {"promise": replace(PROMISE, escape=0.2)}, "promises less"),
        ({"promise": PROMISE}, {"promise": replace(PROMISE, independent=True)}, "promises less"),
        ({}, {"classes": ["ok", "worn", "torn"], "defects": ["worn", "torn"]}, None),
    ],
)
def test_bundles_must_mean_the_same(bundles, old, new, expected):
    line, fresh = bundles("line", 0.5, **old), bundles("new", 0.5, **new)
    if expected is None:
        check_comparable(line, fresh)
        return
    with pytest.raises(UserError, match=expected):
        check_comparable(line, fresh)


@pytest.mark.parametrize("which", ["line", "new"])
def test_a_monitor_image_that_was_trained_on_proves_nothing(bundles, shop, which):
    _, labelled = shop
    leaked = [labelled.data.hashes[labelled.split.monitor[0]]]
    line, new = (
        bundles(name, cut, **({"trained_on": leaked} if name == which else {}))
        for name, cut in (("line", 0.5), ("new", 0.51))
    )
    with pytest.raises(UserError, match=f"was trained on by .*{which}"):
        compare(line, new, labelled, Terms())


def test_a_model_that_gives_no_number_is_refused(bundles, shop, tmp_path, capsys):
    line, new = bundles("line", 0.5), bundles("new", float("nan"))
    with pytest.raises(UserError, match="new gives NaN or infinity for ok/"):
        compare(line, new, shop[1], Terms(margin=0.3))
    before = files(line.folder)
    for over in ("line", "elsewhere"):
        assert main(["promote", "bundle=new", f"over={over}", "margin=0.3"]) == 2
        assert "gives NaN or infinity for" in capsys.readouterr().err
    assert files(line.folder) == before and not (tmp_path / "elsewhere").exists()
    assert not list(tmp_path.glob(".*.part"))


def test_at_most_one_image_of_a_group_counts(bundles, shop):
    _, labelled = shop
    line, new = bundles("line", 0.5), bundles("new", 0.51)
    lots = {id: id.split("/")[0] + str(int(id[-7:-4]) % 5) for id in labelled.groups}
    grouped = type(labelled)(
        labelled.data, labelled.split, lots, labelled.training, labelled.held_out, frozenset()
    )
    sizes = [m.pairs.n for m in compare(line, new, grouped, Terms()).measures]
    monitor = {lots[id] for id in labelled.split.monitor}
    most = [len(monitor), *(sum(lot[:2] == kind for lot in monitor) for kind in ("wo", "ok"))]
    assert all(1 <= size <= lots for size, lots in zip(sizes, most, strict=True))
    every = compare(line, new, grouped, Terms(independent=True)).measures
    assert every[0].pairs.n == every[1].pairs.n + every[2].pairs.n > 20


def test_a_class_that_is_newer_than_the_bundles_counts_as_a_defect(bundles, shop):
    _, labelled = shop
    torn = [id for id in labelled.monitor if labelled.held_out[id] == "ok"][:5]
    newer = replace(labelled, held_out={**labelled.held_out, **dict.fromkeys(torn, "torn")})
    line, new = bundles("line", 0.5), bundles("new", 0.51)
    before, after = (
        {one.name: one for one in compare(line, new, each, Terms()).measures}
        for each in (labelled, newer)
    )
    assert after["escape rate"].pairs.n == before["escape rate"].pairs.n + len(torn)
    assert after["overkill rate"].pairs.n == before["overkill rate"].pairs.n - len(torn)
    assert after["escape rate"].old > before["escape rate"].old, "they pass, so they escape"


def test_without_defects_the_names_alone_count(bundles, shop):
    line, new = bundles("line", 0.5, defects=[]), bundles("new", 0.62, defects=[])
    found = compare(line, new, shop[1], Terms(margin=0.3))
    assert [measure.name for measure in found.measures] == ["error rate"]
    assert found.renamed and not found.escaping and found.known == 0


def test_sealed_images_are_not_looked_at(bundles, shop):
    _, labelled = shop
    with pytest.raises(UserError, match="only alvision threshold may use it"):
        predictions_for(bundles("line", 0.5), labelled, [labelled.split.seal[0]])


def test_a_line_that_changed_while_models_were_compared_stays(bundles, capsys, monkeypatch):
    from alvision.reporting import promotion

    line, _, other = bundles("line", 0.62), bundles("new", 0.5), bundles("other", 0.55)

    def swap(*arguments):
        for path in other.folder.iterdir():
            (line.folder / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(promotion, "write", swap)
    assert main(["promote", "bundle=new", "over=line", "margin=0.2"]) == 2
    assert "line changed meanwhile" in capsys.readouterr().err
    assert open_bundle(line.folder).model == other.model


@pytest.mark.slow
def test_each_further_model_needs_more_confidence_and_the_same_one_does_not(bundles, capsys):
    bundles("line", 0.62), bundles("worse", 0.7), bundles("new", 0.5)

    def promote(name, *words):
        status = main(["promote", f"bundle={name}", "over=line", "margin=0.3", *words])
        return status, " ".join(capsys.readouterr().out.split())

    status, told = promote("worse")
    assert status == 1 and "95 % sure" in told and "used" not in told
    assert promote("worse", "margin.escape=0.4")[1].count("95 % sure") == 3
    status, told = promote("new")
    assert status == 0 and told.count("97.5 % sure") == 3
    assert "used 1 time before, so this try must be shown with 97.5 % confidence" in told
    page = Path("promotion.html").read_text(encoding="utf-8")
    assert "97.5 % confidence instead of 95 %" in " ".join(page.split())
    assert promote("worse", "margin.escape=0.0004")[0] == 1
    assert "<td>+0.04</td>" in Path("promotion.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["alike", "better"])
def test_every_try_counts_also_one_with_too_few_images_for_equal_models(bundles, shop, name):
    bundles("line", 0.62), bundles("alike", 0.621), bundles("better", 0.5)
    # 12 defects, and two equal models need 14; a better one takes over all the same.
    status = main(["promote", f"bundle={name}", "over=line", "margin=0.2"])
    assert status == (1 if name == "alike" else 0)
    [log] = shop[0].parent.rglob("promotions.jsonl")
    assert len(log.read_text(encoding="utf-8").splitlines()) == 1


def test_a_try_that_no_model_could_win_is_none_and_shows_no_figure_to_choose_by(
    bundles, shop, capsys
):
    bundles("line", 0.5), bundles("new", 0.51)
    assert main(["promote", "bundle=new", "over=line", "confidence=0.99999999999"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert "independent monitor images are too few for any model" in told.err
    assert "no model was run" in told.err and not Path("promotion.html").exists()
    assert not list(shop[0].parent.rglob("promotions.jsonl"))


@pytest.mark.slow
def test_too_many_tries_are_refused_in_one_line(bundles, shop, capsys):
    bundles("line", 0.62), bundles("new", 0.5)
    main(["promote", "bundle=new", "over=line", "margin=0.2"])
    [log] = shop[0].parent.rglob("promotions.jsonl")
    first = json.loads(log.read_text(encoding="utf-8"))
    tries = [first | {"new": str(number)} for number in range(60)]
    log.write_text("".join(f"{json.dumps(one)}\n" for one in tries), encoding="utf-8")
    bundles("other", 0.55), capsys.readouterr()
    assert main(["promote", "bundle=other", "over=line", "margin=0.2"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "used 60 times before, too often" in told


def test_a_damaged_previous_is_not_brought_back(bundles, capsys):
    bundles("line", 0.62), bundles("new", 0.5)
    assert main(["promote", "bundle=new", "over=line", "margin=0.2"]) == 0
    place = open_bundle(bundles("other", 0.5).folder).folder.parent
    (place / "line.previous" / "model.onnx").write_bytes(b"x")
    before = files(place / "line")
    assert main(["promote", "rollback", "over=line"]) == 2
    assert "its bytes have changed" in capsys.readouterr().err
    assert files(place / "line") == before


def test_without_a_labelled_defect_only_overkill_is_compared(bundles, shop):
    line, new = bundles("line", 0.6), bundles("new", 0.5)
    labelled = shop[1]
    good = {
        part: {id: label for id, label in getattr(labelled, part).items() if label == "ok"}
        for part in ("training", "held_out")
    }
    found = compare(line, new, replace(labelled, **good), Terms(0.2, 0.2))
    assert [measure.name for measure in found.measures] == ["overkill rate"]
    assert not found.reasons and found.known == 0


OF_GOOD = replace(PROMISE, escape=1.0, overkill=Overkill(0.0, 0.05), of_good=True)


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (OF_GOOD, OF_GOOD, False),
        (OF_GOOD, replace(OF_GOOD, overkill=Overkill(0.0, 0.1)), True),
        (OF_GOOD, PROMISE, False),
        (PROMISE, OF_GOOD, True),
    ],
)
def test_a_promise_about_good_parts_may_become_one_about_defects(bundles, old, new, refused):
    line, candidate = bundles("line", 0.5, promise=old), bundles("new", 0.5, promise=new)
    if refused:
        with pytest.raises(UserError, match="promises less than the line"):
            check_comparable(line, candidate)
    else:
        check_comparable(line, candidate)
