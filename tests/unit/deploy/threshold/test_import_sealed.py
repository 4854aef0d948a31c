import pytest
from PIL import Image

from alvision.cli import main
from alvision.config.compose import compose
from alvision.deploy.threshold.lookalikes import _of_other_parts
from alvision.deploy.train.labelled_data import load_labelled
from alvision.labels.exchange.csv_file import images_named
from tests.conftest import paint

CLASSES = '"classes=[ok,worn]"'.strip('"')


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Return a folder of 30 photographs, six of them in a drawer of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "drawer").mkdir(parents=True)
    for i in range(24):
        paint(i, "ok").save(tmp_path / "photos" / f"{i:02d}.png")
    for i in range(6):
        paint(100 + i, "worn").save(tmp_path / "photos" / "drawer" / f"{i}.png")
    rows = [f"drawer/{i}.png,worn" for i in range(6)]
    (tmp_path / "drawer.csv").write_text("\n".join(["id,label", *rows]), encoding="utf-8")
    return tmp_path


def bring(*words):
    return main(["labels", "import", "data.root=photos", CLASSES, *words])


def parts(share="audit.share=0.001"):
    words = ["oracle=files", "data.root=photos", CLASSES, 'defects=["worn"]', share]
    return load_labelled(compose(words).config)


@pytest.mark.slow
def test_a_drawer_is_sealed_and_never_trained_on(photos, capsys):
    (photos / "some.csv").write_text("id,label\n00.png,ok\n01.png,ok\n", encoding="utf-8")
    assert bring("from=some.csv") == 0
    assert bring("from=drawer.csv", "slot=seal") == 0
    assert "6 added" in capsys.readouterr().out
    labelled = parts()
    assert labelled.split.seal == tuple(f"drawer/{i}.png" for i in range(6))
    assert labelled.training == {"00.png": "ok", "01.png": "ok"}
    assert set(labelled.held_out) == set(labelled.split.seal)
    assert bring("from=drawer.csv", "slot=seal") == 0
    assert "0 added, 6 known already" in capsys.readouterr().out


def test_what_was_labelled_before_cannot_be_sealed(photos, capsys):
    (photos / "early.csv").write_text("id,label\ndrawer/3.png,worn\n", encoding="utf-8")
    assert bring("from=early.csv") == 0
    assert bring("from=drawer.csv", "slot=seal") == 2
    line = capsys.readouterr().err
    assert "drawer/3.png has been answered already" in line and line.count("\n") == 1
    assert parts().split.seal == ()


def test_a_sealed_photograph_that_looks_like_a_labelled_one_is_named(photos, capsys):
    folder = photos / "photos"
    (photos / "some.csv").write_text("id,label\n00.png,ok\n01.png,ok\n", encoding="utf-8")
    assert bring("from=some.csv") == 0
    again = Image.open(folder / "00.png")
    again.save(folder / "drawer" / "5.jpg", quality=95)
    (photos / "own.csv").write_text(
        "\n".join(["id,label", "drawer/0.png,worn", "drawer/1.png,worn", "drawer/5.jpg,worn"]),
        encoding="utf-8",
    )
    capsys.readouterr()
    assert bring("from=own.csv", "slot=seal") == 0
    told = capsys.readouterr().out
    assert "warning: 1 sealed image looks like another known one: drawer/5.jpg like 00.png" in told


def test_lookalikes_are_trained_images_or_sealed_ones_of_another_group():
    groups = {"s1": "a", "s2": "a", "s3": "b", "t1": "c", "t2": "b"}
    pairs = [("s1", "s2"), ("s1", "s3"), ("s3", "t1"), ("t1", "t2"), ("s3", "t2")]
    found = _of_other_parts(pairs, {"s1", "s2", "s3"}, groups)
    assert found == [("s1", "s3"), ("s3", "t1")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["from=drawer.csv", "slot=pool"], "slot=pool is unknown"),
        (["from=nowhere.csv", "slot=seal"], "does not exist"),
    ],
)
def test_bad_words_are_one_line(photos, capsys, words, told):
    assert bring(*words) == 2
    assert told in capsys.readouterr().err


def test_a_table_names_images(photos):
    ids = [f"drawer/{i}.png" for i in range(6)]
    assert images_named(photos / "drawer.csv", ids) == ids
