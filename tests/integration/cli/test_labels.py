import csv
import shutil

import pytest

from alvision.core.records import Event
from alvision.core.rounds import read_document
from alvision.labels.store import LabelStore
from tests.integration.conftest import TINY
from tests.support import postgres
from tests.support.parts import imported

CLASSES = "classes=[ok,worn]"


@pytest.fixture
def photos(parts, tmp_path):
    """Return a folder with the parts in no class folders, and nothing else."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in parts.rglob("*.png"):
        shutil.copy(path, folder / f"{path.parent.name[0]}{path.name}")
    return folder


@pytest.mark.slow
def test_labels_are_kept_told_and_rebuilt(run, tmp_path, photos):
    (tmp_path / "given.csv").write_text(
        "id,label,by\no000.png,ok,anna\no000.png,worn,bert\nw000.png,worn,\n"
    )
    data = "data.root=photos"
    assert run("labels", "people", data)[1].startswith("no image was answered by two people")
    status, out, _ = run("labels", "import", data, CLASSES, "from=given.csv", "by=shop")
    assert (status, out) == (0, "imported: 3 added, 0 known already, 0 without a label\n")
    assert run("labels", "history", data, "n=2")[1].splitlines() == [
        "     2  bert: o000.png was worn elsewhere",
        "     3  shop: w000.png was worn elsewhere",
    ]
    assert len(run("labels", "history", data, "id=o000.png")[1].splitlines()) == 2
    assert run("labels", "backup", data, "to=kept")[:2] == (0, "3 events kept in kept\n")
    status, _, _ = run("labels", "export", data, "to=sorted", "form=folders")
    assert status == 0
    assert {p.parent.name for p in (tmp_path / "sorted").rglob("*.png")} == {"worn"}
    shutil.rmtree(tmp_path / "photos.alvision")
    assert run("labels", "import", data, "from=kept")[1] == "rebuilt: 3 events\n"
    assert run("labels", "export", data, "to=votes.csv", "form=votes")[0] == 0
    with (tmp_path / "votes.csv").open(newline="", encoding="utf-8") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows == [
        ("o000.png", "ok", "anna", "worn", ""),
        ("o000.png", "worn", "bert", "worn", ""),
        ("w000.png", "worn", "shop", "worn", ""),
    ]


@pytest.mark.slow
def test_people_are_told_what_they_confuse(run, tmp_path, photos):
    rows = [f"w{i:03d}.png,{said},{by}" for i in range(9) for by, said in
            (("anna", "worn"), ("bert", "worn"), ("cleo", "ok" if i < 4 else "worn"))]  # fmt: skip
    (tmp_path / "given.csv").write_text("\n".join(["id,label,by", *rows]) + "\n")
    assert run("labels", "import", "data.root=photos", CLASSES, "from=given.csv")[0] == 0
    lines = run("labels", "people", "data.root=photos", CLASSES)[1].splitlines()
    assert lines[2] == "cleo agreed with the consensus on 5 of 9 images; worn called ok (4)"
    assert lines[3:] == ["cleo called worn ok about 4 of 9 times"]


@pytest.mark.slow
def test_a_defect_is_marked_and_a_run_knows_it(run, tmp_path, photos):
    words = ["run", "data.root=photos", CLASSES, "oracle=files", "out=o", *TINY]
    assert run(*words)[0] == 0
    data = ["data.root=photos", CLASSES]
    status, out, err = run("labels", "mark", *data, "class=worn", "by=anna")
    assert (status, err) == (0, "")
    assert out.startswith("worn is a defect from now on; finished rounds keep their figures")
    assert run("labels", "history", *data)[1].endswith("anna: worn is a defect\n")
    assert run(*words)[0] == 0
    assert read_document(tmp_path / "o")["defects"] == ["worn"]
    assert run("labels", "mark", *data, "class=worn", "defect=false")[0] == 0
    assert run(*words)[0] == 0
    assert read_document(tmp_path / "o")["defects"] is None
    status, _, err = run("labels", "mark", *data, "class=bent")
    assert (status, "class=bent is no class of these labels (ok, worn)" in err) == (2, True)


@pytest.mark.slow
def test_labels_that_exist_start_a_run_as_known(run, tmp_path, parts, photos):
    for path in sorted(parts.rglob("*.png"))[::2]:
        path.unlink()
    data = ["data.root=photos", CLASSES]
    assert "18 added" in run("labels", "import", *data, "from=parts")[1]
    status, _, err = run("run", *data, "oracle=files", "out=o", "budget.audit=0", *TINY)
    assert (status, err) == (0, "")
    assert not (tmp_path / "o" / "rounds" / "000" / "to_label").exists(), "nothing was asked"
    assert (tmp_path / "o" / "rounds" / "000" / "metrics.json").exists()
    query = (tmp_path / "o" / "rounds" / "001" / "query.csv").read_text()
    assert "cold_start" not in query
    assert query.count("acquisition") == 4


@pytest.mark.slow
def test_answers_from_another_tool_end_a_round(run, tmp_path, photos):
    words = ["run", "data.root=photos", CLASSES, "oracle=files", "out=o", *TINY]
    assert "10 images to label" in run(*words)[1].replace("\n", "")
    with (tmp_path / "o" / "rounds" / "000" / "query.csv").open(encoding="utf-8") as file:
        asked = [row["id"] for row in csv.DictReader(file)]
    with LabelStore(tmp_path / "photos.alvision" / "labels.db", shared=True) as store:
        said = [Event(id, "label", "worn" if id[0] == "w" else "ok", "anna", 0, id) for id in asked]
        store.append(said, hash_of=lambda id: None)
    assert "10 images to label" not in run(*words)[1].replace("\n", "")
    with (tmp_path / "o" / "metrics.csv").open(encoding="utf-8") as file:
        assert [row["answers"] for row in csv.DictReader(file)] == ["10"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["export", "form=xml"], "log, votes, folders"),
        (["export", "form=folders"], "to=FOLDER"),
        (["import", "from=nowhere"], "classes= is missing"),
        (["history", "n=some"], "n=some"),
        (["push"], "out="),
        (["pull", CLASSES], "LABEL_STUDIO_API_KEY"),
    ],
)
def test_what_is_missing_is_named(run, monkeypatch, words, told):
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    status, _, err = run("labels", *words, "data.root=parts")
    assert status == 2
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.postgres
def test_a_team_s_labels_lie_on_its_server(run, tmp_path, photos):
    imported("psycopg")
    with postgres.server("fsync=off") as server:
        url = f"labels.url={server.new_database()}"
        words = ["data.root=photos", CLASSES, url]
        (tmp_path / "given.csv").write_text("id,label\no000.png,ok\nw000.png,worn\n")
        assert run("labels", "import", *words, "from=given.csv")[0] == 0
        sizes = ["budget.initial=4", "budget.audit=2", "labels.votes=1", "labels.experts=[dora]"]
        tiny = [word for word in TINY if "initial" not in word]
        status, out, err = run("run", *words, "oracle=files", "out=o", *tiny, *sizes)
        assert (status, err) == (0, "")
        assert "4 images to label" in out.replace("\n", ""), "two of four are known; two are audit"
        assert run("labels", "verify", *words)[:2] == (0, "2 events, 0 problems\n")
        assert run("labels", "backup", *words, "to=kept")[0] == 0
    folder = tmp_path / "photos.alvision"
    assert [path.name for path in folder.iterdir()] == ["audit.csv"]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == [
        "audit.csv",
        "labels.csv",
        "labels.db",
    ]


@pytest.mark.slow
def test_the_unlabelled_images_are_audited(run, tmp_path, photos):
    words = ["run", "data.root=photos", CLASSES, "defects=[worn]", "oracle=files", "out=o", *TINY]
    assert run(*words)[0] == 0
    status, _, err = run("labels", "audit", "out=o")
    assert status == 2 and "there is no model to audit yet" in err
    sheet = tmp_path / "o/rounds/000/to_label/answers.csv"
    rows = list(csv.reader(sheet.read_text("utf-8-sig").splitlines()))
    for row in rows[1:]:
        row[2:4] = ["ok" if row[1][0] == "o" else "worn", "anna"]
    with sheet.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    assert run(*words)[0] == 0
    status, out, err = run("labels", "audit", "out=o", "n=8")
    assert (status, err) == (0, "") and "8 images wait in" in out and "of 100" not in out
    table = tmp_path / "o" / "to-audit.csv"
    ids = [row["id"] for row in csv.DictReader(table.read_text("utf-8-sig").splitlines())]
    assert len(set(ids)) == 8 and not set(ids) & {row[1] for row in rows}
    again = run("labels", "audit", "out=o", "n=8")[1]
    assert again == out  # nothing is answered, so nothing is drawn
    answers = "".join(f"{id},{'ok' if id[0] == 'o' else 'worn'}\n" for id in ids)
    table.write_text(f"id,label\n{answers}")
    assert run("labels", "import", "out=o", f"from={table}")[0] == 0
    calls = (tmp_path / "o/rounds/000/pool_predictions.parquet").read_bytes()
    status, out, _ = run("labels", "audit", "out=o", "n=0")
    assert status == 0 and "by 8 of the drawn images" in out and "wait" not in out
    assert (tmp_path / "o/rounds/000/pool_predictions.parquet").read_bytes() == calls


@pytest.mark.slow
def test_a_simulated_run_is_not_audited(run, tmp_path, parts):
    words = ["run", f"data.root={parts}", "out=s", *TINY, "budget.rounds=0"]
    assert run(*words)[0] == 0
    status, _, err = run("labels", "audit", "out=s")
    assert status == 2 and "is a simulated run" in err
