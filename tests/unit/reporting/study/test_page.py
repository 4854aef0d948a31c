"""The report of a study."""

import base64
import re

import pytest

from alvision.core.errors import UserError
from alvision.evaluation.probabilities import ClassProbabilities
from alvision.reporting.html import Thumbnails, signed
from alvision.reporting.run.folder import read
from alvision.reporting.study import incomparable
from alvision.reporting.study import page as study
from alvision.reporting.study.misclassified import found_of, missed
from alvision.study.collect import collect
from alvision.study.export import tables, to_csv
from alvision.study.summary import summarise
from alvision.study.verdict import sentence, verdict
from tests.unit.reporting.builder import study_folder
from tests.unit.reporting.run.test_page import read_page
from tests.unit.study.builder import study as built

SKILLS = {"random_sampling": 0.2, "margin": 2.0, "k_center": 0.2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return study_folder(tmp_path_factory.mktemp("study") / "out", SKILLS, seeds=7, rounds=4)


@pytest.fixture(scope="module")
def comparison(folder):
    return summarise(collect(folder))


@pytest.fixture(scope="module")
def page(folder, comparison):
    return read_page(study.write(folder, comparison))


def test_the_page_begins_with_the_verdict_and_holds_every_number(page, comparison):
    assert page.text.index(verdict(comparison)) < page.text.index("Learning curves")
    for row in comparison.rows:
        assert f"{row.aubc.value:.3f}" in page.text
        assert f"{row.aubc.low:.3f} to {row.aubc.high:.3f}" in page.text
    for row in comparison.others:
        assert sentence(row, comparison) in page.text
        assert f"{row.detectable:.3f} ({row.acquisition})" in page.text
    for row in comparison.classes:
        assert f"{row.f1.value:.3f}" in page.text
    for row in comparison.costs:
        assert f"{row.minutes.value:.1f}" in page.text
    assert "Rarest class: inclusion" in page.text
    assert "each is counted at 3 s" in page.text
    assert "Trained on the whole pool, macro-F1 is" in page.text
    for row in comparison.discovery:
        assert row.text in page.text
    assert "Labels until 80 % of the pool's defects are found" in page.text
    assert page.tags.count("svg") == 3
    assert "64 images (first seed)" in page.text


def test_the_command_of_the_whole_study_is_told(page):
    names = "random_sampling,k_center,margin"
    command = f'alvision compare experiment=parts "acquisition=[{names}]" seeds=7 out='
    assert command in page.text


def test_every_run_is_linked_and_nothing_is_loaded(folder, page):
    for name in (*SKILLS, "full"):
        assert f"{name}/seed-3/" in page.addresses
    for address in page.addresses:
        assert re.match(r"#|[\w/.-]+$|data:text/(csv|markdown);", address), address
        if not address.startswith(("#", "comparison.csv", "data:")):
            assert (folder / address).is_dir()


def test_the_csv_behind_each_table_holds_its_numbers(page, comparison):
    files = [address for address in page.addresses if address.startswith("data:text/csv")]
    texts = {base64.b64decode(file.partition("base64,")[2]).decode() for file in files}
    assert texts == {to_csv(rows) for rows in tables(comparison).values()}


def test_the_matrix_names_winners_or_what_would_have_been_found(page, comparison):
    for pair in comparison.pairs:
        assert signed(pair.difference.value) in page.text
        if pair.winner is None:
            assert f"not shown; would show {pair.detectable:.3f}" in page.text
    assert any(pair.winner for pair in comparison.pairs)


def test_the_gallery_shows_every_round_of_the_lowest_seed(page):
    text = page.text
    assert "Seed 0, every round after the cold start" in text
    assert text.count("Round 1") == text.count("Round 3") == len(SKILLS)
    assert "line 0/" not in text


def test_what_was_missed_is_shown_where_the_classes_are_known(folder, comparison, tmp_path):
    run = read(folder / "margin" / "seed-0")
    ids = ClassProbabilities.read(run.root / "rounds" / "003" / "predictions.parquet").ids
    labels = dict.fromkeys(ids, "scratch")
    found = missed(run, labels, Thumbnails(None), limit=4)
    assert (found["judged"], len(found["cards"])) == (90, 4)
    assert found["cards"][0]["slot"] == "escaped"
    assert found["wrong"] == 4 + found["more"] >= found["escaped"] > 0
    page = read_page(study.write(folder, comparison, labels=labels))
    assert f"{found['wrong']} of 90 held-out images called wrongly" in page.text
    full = read(folder / "full" / "seed-0")
    asked, there = found_of(run, full, "inclusion")
    assert 0 <= asked <= there
    assert f"asked for {asked} of the {there} image" in page.text


def test_runs_that_cannot_be_compared_have_a_page_that_says_why(tmp_path):
    root = study_folder(tmp_path / "out", {"margin": 1.0}, seeds=1, rounds=2, full=False)
    page = read_page(incomparable.write(root, "unequal rounds: <margin> has 2"))
    assert "Not compared: unequal rounds: <margin> has 2." in page.text
    assert "margin/seed-0" in page.text
    assert incomparable.write(tmp_path / "nothing", "no study") is None
    assert not (tmp_path / "nothing").exists()


@pytest.mark.slow
def test_the_page_is_made_from_the_files_alone(folder, comparison):
    told = study.write(folder, comparison).read_bytes()
    assert study.write(folder).read_bytes() == told


@pytest.mark.parametrize("name", ["curve.png", "curve.svg"])
def test_the_picture_is_small(comparison, tmp_path, name):
    path = study.figure(comparison, tmp_path / name)
    assert path == tmp_path / name
    assert 5_000 < path.stat().st_size < 150_000


def test_the_wide_bands_of_two_seeds_do_not_flatten_the_curves():
    drawn = study._curves(summarise(built({"margin": 0.1}, seeds=2, noise=0.3)))
    low, high = drawn.axes[0].get_ylim()
    assert low > -0.2 and high < 1.2


def test_a_study_without_random_or_full_runs_has_a_page(tmp_path):
    root = study_folder(tmp_path / "out", {"margin": 1.0}, seeds=1, rounds=2, full=False)
    page = read_page(study.write(root))
    assert "the study has no random_sampling" in page.text
    assert "Seed by seed" not in page.text
    assert "Trained on the whole pool" not in page.text


def test_too_few_seeds_promise_no_detectable_effect(tmp_path):
    skills = {"random_sampling": 1.0, "margin": 1.0}
    text = read_page(study.write(study_folder(tmp_path / "a b", skills, seeds=2, rounds=2))).text
    assert "needs at least" in text
    assert "4 times out of 5" not in text
    assert '/a b"' in text


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no study"):
        study.write(tmp_path)


def test_random_from_the_first_label_is_told_from_random_after_the_same_start(tmp_path):
    skills = {"random_throughout": 0.1, "random_sampling": 0.2, "margin": 2.0}
    root = study_folder(tmp_path / "out", skills, seeds=7, rounds=2)
    comparison = summarise(collect(root))
    page = read_page(study.write(root, comparison))
    assert "random labelling from first to last (random_throughout)" in page.text
    assert "minus random_sampling's, same first labels" in page.text
    margin = next(row for row in comparison.rows if row.acquisition == "margin")
    assert signed(margin.after_start.difference.value) in page.text
    assert "split is the same for every strategy, and so are its first labels, but" in page.text
    assert 'acquisition=[random_sampling,margin]" seeds=7' in page.text
    assert "random_throughout/seed-3/" in page.addresses
