import csv
import io
import os
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from alvision.core.errors import UserError
from alvision.core.records import AwaitingLabels, Query, QueryRow, answer_uuid
from alvision.data.image_spec import ImageSpec
from alvision.oracles.files import FilesOracle

CLASSES = ("ok", "Worn, old")


@pytest.fixture
def images(tmp_path):
    """Return a folder of six images whose folders give their classes away."""
    root = tmp_path / "data"
    for i in range(6):
        folder = root / ("ok" if i < 4 else "worn")
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), i * 40).save(folder / f"ä {i}.png")
    return root


@pytest.fixture
def query(images):
    ids = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    rows = [QueryRow(id, i, 0.5, prediction="ok", reason="why") for i, id in enumerate(ids[:4])]
    audit = [QueryRow(id, 4 + i, slot="audit") for i, id in enumerate(ids[4:])]
    return Query(3, (*rows, *audit))


@pytest.fixture
def ask(tmp_path, images):
    """Return a function that makes the oracle anew, as a later call of the command does."""

    def make(
        votes=1,
        classes=CLASSES,
        path_of=lambda id: images / id,
        locate=lambda id, sha256: id,
        answered_elsewhere=dict,
        spec=None,
    ):
        rounds = tmp_path / "rounds"
        return FilesOracle(
            rounds,
            classes=classes,
            run="run",
            votes=votes,
            path_of=path_of,
            locate=locate,
            answered_elsewhere=answered_elsewhere,
            spec=spec,
        )

    return make


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "rounds" / "003" / "to_label"


def table(folder):
    text = (folder / "answers.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def save(folder, rows, delimiter=",", encoding="utf-8"):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    (folder / "answers.csv").write_bytes(text.getvalue().encode(encoding))


def begin(oracle, query, folder):
    with pytest.raises(AwaitingLabels):
        oracle(query)
    return table(folder)


def fill(rows, word="ok", by=""):
    return [row | {"label": word, "by": by} for row in rows]


def test_the_first_call_lays_out_the_work(ask, query, folder, images):
    with pytest.raises(AwaitingLabels, match=r"6 images to label: .*then run the same command"):
        ask()(query)
    rows = table(folder)
    assert sorted(row["id"] for row in rows) == sorted(query.ids)
    assert all((row["label"], row["by"]) == ("", "") for row in rows)
    for number, row in enumerate(rows, start=1):
        assert row["image"] == f"images/{number:03d}.png"
        assert (folder / row["image"]).read_bytes() == (images / row["id"]).read_bytes()
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "<code>Worn, old</code>" in page
    assert page.count("<figure>") == 6


def test_nothing_shows_which_rows_are_audit(ask, query, folder):
    rows = begin(ask(), query, folder)
    order = [row["id"] for row in rows]
    assert order != list(query.ids)
    assert set(rows[0]) == {"image", "id", "label", "by"}
    shown = (folder / "index.html").read_text(encoding="utf-8")
    assert "audit" not in shown
    assert not any(id in shown for id in query.ids)


def test_the_order_is_the_same_each_time(ask, query, folder):
    first = begin(ask(), query, folder)
    (folder / "answers.csv").unlink()
    assert begin(ask(), query, folder) == first


def test_a_kill_before_the_table_starts_the_layout_again(ask, query, folder):
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "001.png").write_bytes(b"half")
    rows = begin(ask(), query, folder)
    assert (folder / rows[0]["image"]).read_bytes() != b"half"


def test_answers_are_read_when_all_are_there(ask, query, folder):
    rows = begin(ask(), query, folder)
    words = ["ok", " worn, OLD ", "skip", "Unsure", "ok", "Worn, old"]
    filled = [row | {"label": word} for row, word in zip(rows, words, strict=True)]
    filled[0]["by"] = " anna "
    save(folder, filled)
    answers = ask()(query)
    assert [(a.id, a.kind, a.label, a.by, a.round) for a in answers] == [
        (rows[0]["id"], "label", "ok", "anna", 3),
        (rows[1]["id"], "label", "Worn, old", "files", 3),
        (rows[2]["id"], "skip", None, "files", 3),
        (rows[3]["id"], "unsure", None, "files", 3),
        (rows[4]["id"], "label", "ok", "files", 3),
        (rows[5]["id"], "label", "Worn, old", "files", 3),
    ]
    assert answers[0].uuid == answer_uuid("run", 3, rows[0]["id"], "anna", "label", "ok")
    assert ask()(query) == answers


@pytest.mark.parametrize(
    ("delimiter", "encoding"),
    [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "cp1252"), (";", "cp1252")],
)
def test_spreadsheets_may_save_it_their_way(ask, query, folder, delimiter, encoding):
    save(folder, fill(begin(ask(), query, folder)), delimiter, encoding)
    with (folder / "answers.csv").open("ab") as file:
        ending = delimiter * 3 + "\r\n\r\n"
        file.write(
            ending.encode({"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding))
        )
    assert {answer.id for answer in ask()(query)} == set(query.ids)


def test_only_id_and_label_are_needed(ask, query, folder):
    begin(ask(), query, folder)
    save(folder, [{"id": f" {id} ", "label": "ok"} for id in query.ids])
    assert len(ask()(query)) == 6


def test_blank_rows_are_waited_for_and_the_table_stays(ask, query, folder):
    rows = begin(ask(), query, folder)
    save(folder, fill(rows[:4]) + rows[4:])
    before = (folder / "answers.csv").read_bytes()
    with pytest.raises(AwaitingLabels, match="4 of 6 images answered: "):
        ask()(query)
    assert (folder / "answers.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": "wrn"}, r"row 3: 'wrn' is not one of ok, Worn, old, skip, unsure"),
        ({"id": "other.png"}, r"row 3: 'other.png' was not asked for"),
    ],
)
def test_a_wrong_cell_is_named_by_its_row(ask, query, folder, change, told):
    rows = fill(begin(ask(), query, folder))
    rows[1] |= change
    save(folder, rows)
    before = (folder / "answers.csv").read_bytes()
    with pytest.raises(UserError, match=told):
        ask()(query)
    assert (folder / "answers.csv").read_bytes() == before


@pytest.mark.slow
def test_a_table_cut_off_anywhere_gives_no_wrong_answer(ask, query, folder):
    ask = partial(ask, classes=("worn", "worn old"))
    save(folder, fill(begin(ask(), query, folder), "worn old"))
    whole = (folder / "answers.csv").read_bytes()
    expected = [replace(said, time=None) for said in ask()(query)]
    for length in range(len(whole)):
        (folder / "answers.csv").write_bytes(whole[:length])
        try:
            assert [replace(said, time=None) for said in ask()(query)] == expected
        except (UserError, AwaitingLabels):
            assert (folder / "answers.csv").read_bytes() == whole[:length]


def test_an_answer_was_given_when_the_table_was_saved(ask, query, folder):
    save(folder, fill(begin(ask(), query, folder)))
    os.utime(folder / "answers.csv", (1772443800, 1772443800))
    assert {said.time for said in ask()(query)} == {"2026-03-02T09:30:00.000Z"}


def test_missing_rows_are_told(ask, query, folder):
    rows = fill(begin(ask(), query, folder))
    save(folder, rows[2:])
    with pytest.raises(UserError, match="lacks 2 of 6 images"):
        ask()(query)


def test_one_person_says_one_thing(ask, query, folder):
    rows = fill(begin(ask(), query, folder), by="anna")
    save(folder, [*rows, rows[0]])
    assert len(ask()(query)) == 6
    save(folder, [*rows, rows[0] | {"label": "skip"}])
    with pytest.raises(UserError, match=r"row 8: anna gave .* another answer in row 2"):
        ask()(query)
    save(folder, [*rows, rows[0] | {"label": "skip", "by": "bert"}])
    assert [a.by for a in ask()(query)].count("bert") == 1


def test_votes_that_were_raised_meanwhile_ask_for_more_rows(ask, query, folder):
    rows = fill(begin(ask(), query, folder), by="anna")
    save(folder, rows)
    with pytest.raises(AwaitingLabels, match="2 people each: add a row for each answer that lacks"):
        ask(votes=2)(query)
    save(folder, rows + [row | {"by": "bert"} for row in rows])
    assert len(ask(votes=2)(query)) == 12


def test_two_votes_need_two_people(ask, query, folder):
    rows = begin(ask(votes=2), query, folder)
    assert len(rows) == 12
    anna, bert = fill(rows[:6], by="anna"), fill(rows[6:], "skip", by="bert")
    save(folder, anna + rows[6:])
    with pytest.raises(AwaitingLabels, match="0 of 6 images answered by 2 people each"):
        ask(votes=2)(query)
    save(folder, anna + [row | {"by": "anna", "label": "ok"} for row in bert])
    with pytest.raises(AwaitingLabels, match="0 of 6"):
        ask(votes=2)(query)
    save(folder, [*anna, *bert[:-1], bert[-1] | {"by": ""}])
    with pytest.raises(UserError, match="row 13: by is empty"):
        ask(votes=2)(query)
    save(folder, anna + bert)
    assert len(ask(votes=2)(query)) == 12


def test_nothing_asked_nothing_written(ask, tmp_path):
    assert ask()(Query(3)) == []
    assert not (tmp_path / "rounds").exists()


def test_images_without_a_file_are_known_by_their_id(ask, query, folder):
    rows = begin(ask(path_of=lambda id: None), query, folder)
    assert {row["image"] for row in rows} == {""}
    assert query.ids[0] in (folder / "index.html").read_text(encoding="utf-8")


def test_a_class_may_not_be_called_like_an_answer(ask):
    with pytest.raises(UserError, match="'Skip'"):
        ask(classes=["ok", "Skip"])


def test_a_folder_that_cannot_be_written_is_told(ask, query, tmp_path):
    (tmp_path / "rounds").touch()
    with pytest.raises(UserError, match="cannot be filled"):
        ask()(query)


def test_a_class_name_is_text_on_the_page(ask, query, folder):
    begin(ask(classes=["<b>ok", "worn"]), query, folder)
    assert "&lt;b&gt;ok" in (folder / "index.html").read_text(encoding="utf-8")


def test_a_file_name_is_text_on_the_page(ask, folder, tmp_path):
    name = "a.x&quot;onerror"
    (tmp_path / name).write_bytes(b"no picture")
    begin(ask(path_of=lambda id: tmp_path / id), Query(3, (QueryRow(name, 0),)), folder)
    assert "&quot;onerror" not in (folder / "index.html").read_text(encoding="utf-8")


def test_deep_pictures_are_made_visible(ask, folder, tmp_path):
    values = np.array([[1000, 1100], [1200, 1255]], dtype=np.uint16)
    for name in ("deep.tif", "deep.png"):
        Image.fromarray(values).save(tmp_path / name)
    (tmp_path / "broken.tif").write_bytes(b"no picture")
    names = ("deep.tif", "deep.png", "broken.tif")
    query = Query(3, tuple(QueryRow(name, rank) for rank, name in enumerate(names)))
    spec = ImageSpec(8, value_range=(1000, 1255))
    rows = begin(ask(path_of=lambda id: tmp_path / id, spec=spec), query, folder)
    images = {row["id"]: folder / row["image"] for row in rows}
    for name in ("deep.tif", "deep.png"):
        with Image.open(images[name]) as shown:
            assert np.asarray(shown)[..., 0].tolist() == [[0, 100], [200, 255]]
    assert images["broken.tif"].read_bytes() == b"no picture"


def test_a_row_that_was_answered_elsewhere_may_stay_blank(ask, query, folder):
    rows = begin(ask(), query, folder)
    elsewhere = {row["id"]: {"anna"} for row in rows[1:]}
    with pytest.raises(AwaitingLabels, match="5 of 6 images answered"):
        ask(answered_elsewhere=lambda: elsewhere)(query)
    save(folder, [rows[0] | {"label": "ok"}, *rows[1:]])
    (answer,) = ask(answered_elsewhere=lambda: elsewhere)(query)
    assert answer.id == rows[0]["id"]
    save(folder, [row | {"label": "ok", "by": by} for row, by in zip(rows, "xyzxyz", strict=True)])
    with pytest.raises(AwaitingLabels, match="5 of 6 images answered by 2 people"):
        ask(votes=2, answered_elsewhere=lambda: elsewhere)(query)


def test_a_photograph_that_was_moved_or_replaced_since_keeps_the_answer_about_its_copy(
    ask, query, folder
):
    rows = tuple(replace(row, sha256=f"{row.rank:064x}") for row in query.rows)
    query = replace(query, rows=rows)
    save(folder, fill(begin(ask(), query, folder)))
    later = ask(
        locate=lambda id, sha256: None if sha256.endswith("0") else f"moved/{id}",
        path_of=lambda id: pytest.fail("the copies are there already"),
    )
    assert {answer.id: answer.sha256 for answer in later(query)} == {r.id: r.sha256 for r in rows}


def test_an_answer_elsewhere_under_the_name_of_today_counts(ask, query, folder):
    later = ask(
        locate=lambda id, sha256: f"moved/{id}",
        answered_elsewhere=lambda: {f"moved/{id}": {"eve"} for id in query.ids},
    )
    begin(later, query, folder)
    assert later(query) == []


def test_a_photograph_that_is_gone_before_its_copy_was_made_has_none(ask, query, folder):
    rows = begin(ask(locate=lambda id, sha256: None), query, folder)
    assert {row["image"] for row in rows} == {""}


def test_an_answer_of_before_does_not_fill_the_row_of_what_is_asked_again(ask, images):
    id = "ok/ä 0.png"
    query = Query(3, (QueryRow(id, 0, slot="relabel"),))
    oracle = ask(answered_elsewhere=lambda: {id: {"anna", "bert"}})
    for _ in range(2):
        with pytest.raises(AwaitingLabels):
            oracle(query)
