"""The report of a run, read as its reader would."""

import json
import re
from html.parser import HTMLParser

import pytest
import yaml

from alvision.cli.run import line
from alvision.core.errors import UserError
from alvision.core.records import Answers, Event, Query, QueryRow
from alvision.evaluation.metrics import metric
from alvision.page.progress import point
from alvision.reporting.run import page as run
from alvision.reporting.run import summary
from alvision.reporting.run.folder import answers_by_image, read
from alvision.run_folder.round_files import AnswersFile, MetricsFile, QueryFile
from tests.unit.reporting.builder import draw, run_folder


class Reader(HTMLParser):
    """Collects the visible text, the tags and every address that a page names."""

    def __init__(self, html):
        super().__init__()
        self.text, self.tags, self.addresses = "", [], []
        self.feed(html)

    def handle_data(self, data):
        self.text += data

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "xlink:href", "action")]


def read_page(path):
    return Reader(path.read_bytes().decode("utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs") / "run"
    return run_folder(root, rounds=4, batch=8)


@pytest.fixture(scope="module")
def html(finished):
    return run.write(finished).read_bytes().decode("utf-8")


def test_the_page_tells_what_was_run_and_what_came_of_it(finished, html):
    page = Reader(html)
    metrics = read(finished).finished[-1].metrics
    assert "Active learning by margin on parts" in page.text
    assert f"macro-F1 is {metrics['macro_f1']:.3f} on 90 held-out images" in page.text
    assert "The last round's 8 answers" in page.text
    assert "alvision run experiment=parts acquisition=margin seed=0" in page.text
    for heading in ("Learning curve", "Rounds", "Classes", "Confusion", "What was asked, and why"):
        assert heading in page.text
    assert "Rarest class: inclusion" in page.text
    assert "svg" in page.tags


def test_the_page_loads_nothing_from_elsewhere(html):
    for address in Reader(html).addresses:
        assert re.match(r"data:|#|[\w/.]+$", address), address
    assert not re.search(r"@import|url\(\s*['\"]?http|<script|<link", html)


def test_the_same_files_give_the_same_bytes(finished, html):
    assert run.write(finished).read_bytes().decode("utf-8") == html


def test_every_row_says_whether_the_prediction_was_right(finished, html):
    page = Reader(html)
    known = answers_by_image(read(finished))
    rows = [row for rnd in read(finished).rounds for row in rnd.query]
    right = [summary.verdict(row.prediction, known.get(row.id)) for row in rows]
    assert page.text.count("✓ as predicted") == right.count(True) > 0
    assert page.text.count("✗ predicted") == right.count(False) > 0


def test_pictures_are_shown_and_missing_ones_have_a_placeholder(finished, tmp_path):
    ids = [row.id for rnd in read(finished).rounds for row in rnd.query]
    pictures = draw(tmp_path, ids[1:], lambda sample: "ok")
    page = read_page(run.write(finished, pictures))
    assert page.tags.count("img") == len(ids) - 1
    assert page.text.count("picture not shown") == 1


def test_a_class_called_script_is_text(tmp_path):
    classes = ("ok", "<script>alert(1)</script>", "a & b")
    root = run_folder(tmp_path / "run", classes=classes, defects=None, name='<img src="x">')
    page = read_page(run.write(root))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "<script>alert(1)</script>" in page.text


def test_the_page_is_bounded_and_says_how_many_more(tmp_path):
    root = run_folder(tmp_path / "run", rounds=1, batch=64)
    ids = [row.id for row in read(root).rounds[0].query]
    path = run.write(root, draw(tmp_path / "images", ids, lambda sample: "ok"))
    page = read_page(path)
    assert page.tags.count("img") == 60
    assert "and 4 more in rounds/000/query.csv" in page.text
    assert path.stat().st_size < 60 * 7_000 + 60_000


def test_escape_and_overkill_only_where_defects_are_named(html, tmp_path):
    assert "escape rate" in Reader(html).text
    plain = run_folder(tmp_path / "run", defects=None, rounds=2)
    assert "escape rate" not in read_page(run.write(plain)).text.lower()


def test_a_target_metric_of_its_own_is_drawn_and_told(tmp_path):
    target = {"metric": "balanced_accuracy", "value": 0.01}
    root = run_folder(tmp_path / "run", rounds=2, target=target)
    page = read_page(run.write(root))
    assert "The target, balanced accuracy 0.010, was first reached after 8 answers." in page.text
    assert "target 0.01" in page.text
    page = read_page(run.write(run_folder(tmp_path / "b", target={**target, "value": 1.5})))
    assert "is not reached yet" in page.text


def test_a_run_that_has_only_begun_has_a_page(tmp_path):
    root = run_folder(tmp_path / "run", rounds=1)
    (root / "rounds" / "000" / "metrics.json").unlink()
    assert "No round is finished yet" in read_page(run.write(root)).text


def test_a_run_of_people_without_any_audit_answer_has_a_page(tmp_path):
    root = run_folder(tmp_path / "run", rounds=1)
    path = root / "rounds" / "000" / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    empty = {key: None for key in metrics if key not in ("round", "labels", "answers", "confusion")}
    scores = {name: {"support": 0, "recall": None} for name in metrics["per_class"]}
    nothing = [[0] * 3] * 3
    metrics |= {**empty, "n": 0, "per_class": scores, "confusion": nothing}
    path.write_text(json.dumps(metrics), encoding="utf-8")
    page = read_page(run.write(root))
    assert "no held-out image has a label yet" in page.text
    assert "Learning curve" not in page.text
    assert "Confusion" not in page.text


@pytest.mark.parametrize("held_out, few", [(19, "19 audit images: too few to say"), (40, None)])
def test_terminal_page_and_report_give_one_figure_of_audit_images(tmp_path, held_out, few):
    root = run_folder(tmp_path / "run", rounds=2, held_out=held_out)
    document = yaml.safe_load((root / "experiment.yaml").read_text(encoding="utf-8"))
    document["config"]["oracle"] = {"kind": "page"}
    (root / "experiment.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    metrics = MetricsFile(audit=True).read(root / "rounds" / "001" / "metrics.json")
    printed = line(metrics, "macro_f1", audit=True)
    report = read_page(run.write(root)).text
    shown = point(metrics, metric("macro_f1"))
    if few:
        assert shown is None
        assert few in printed
        assert few in report
        assert "macro-F1 is" not in report
    else:
        value = f"{shown.value:.3f}"
        assert f"macro_f1 {value} on 40 audit images" in printed
        assert f"macro-F1 is {value} on 40 held-out images" in report


def test_the_audit_of_the_last_model_is_a_table(tmp_path):
    root = run_folder(tmp_path / "run", rounds=2)
    assert "Audit" not in read_page(run.write(root)).text
    path = root / "rounds" / "001" / "metrics.json"
    rate = {"rate": 0.125, "low": 0.031, "high": 0.374, "images": 24}
    metrics = json.loads(path.read_text(encoding="utf-8")) | {"audit": {"escape": rate}}
    path.write_text(json.dumps(metrics), encoding="utf-8")
    text = read_page(run.write(root)).text
    for cell in ("missed, of the bad ones", "12.5 %", "3.1 %", "37.4 %", "24 images"):
        assert cell in text
    assert "wrongly stopped, of the good ones" not in text


def test_conflicts_skips_and_images_set_aside_are_told(tmp_path):
    root = run_folder(tmp_path / "run", rounds=1)
    folder = root / "rounds" / "000"
    events = AnswersFile().read(folder / "answers.csv").events
    first, second = events[0], events[1]
    more = (
        Event(
            first.id, "label", "scratch" if first.label == "ok" else "ok", "Zoë", 0, "", number=98
        ),
        Event(second.id, "skip", None, "truth", 0, "", number=99),
    )
    AnswersFile().write(Answers((*events, *more), 99), folder / "answers.csv")
    (root / "set_aside.csv").write_text("id,reason\nbad.png,truncated file\n", encoding="utf-8")
    page = read_page(run.write(root))
    assert "Zoë: " in page.text
    assert "1 image answered “skip”" in page.text
    assert "truncated file" in page.text


def test_audit_answers_are_not_counted_as_training_labels(tmp_path):
    root = run_folder(tmp_path / "run", rounds=1, batch=4)
    folder = root / "rounds" / "000"
    rows = QueryFile().read(folder / "query.csv").rows
    audit = QueryRow("audit.png", 4, slot="audit", reason="drawn at random for the audit")
    QueryFile().write(Query(0, (*rows, audit)), folder / "query.csv")
    events = AnswersFile().read(folder / "answers.csv").events
    extra = Event("audit.png", "label", "ok", "me", 0, "", number=5)
    AnswersFile().write(Answers((*events, extra), 5), folder / "answers.csv")
    assert sum(row.labels for row in summary.class_rows(read(root))) == 4


def test_a_class_that_is_found_is_named(tmp_path):
    root = run_folder(tmp_path / "run", rounds=2, batch=2)
    for number, label in ((0, "ok"), (1, "scratch")):
        folder = root / "rounds" / f"{number:03d}"
        event = Event(f"{number}.png", "label", label, "truth", number, "", number=number + 1)
        AnswersFile().write(Answers((event,), number + 1), folder / "answers.csv")
    assert summary.sentences(read(root))[-1] == "It found the first images of scratch."


@pytest.mark.parametrize("ended", [True, False])
def test_why_the_cold_start_ended_early_is_said(tmp_path, ended):
    root = run_folder(tmp_path / "run", rounds=3, batch=4)
    note = "the cold start ended early: scratch has 2 of 5 labels"
    path = root / "rounds" / "001" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cold_start": note}))
    if not ended:  # it went on in that round, and found what it lacked
        query = root / "rounds" / "001" / "query.csv"
        query.write_text(query.read_text().replace(",acquisition,", ",cold_start,"))
    told = [line for line in summary.sentences(read(root)) if "ended early" in line]
    assert told == ([f"In round 1 {note}."] if ended else [])


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a run's folder"):
        run.write(tmp_path)


@pytest.mark.parametrize("backbone", ["timm:test_resnet", {"_target_": "my_net.make"}])
def test_the_summary_names_the_network_that_ran(finished, backbone):
    run_of = read(finished)
    run_of.experiment["config"]["model"]["backbone"] = backbone
    named = backbone if isinstance(backbone, str) else "my_net.make"
    assert f"({named}, frozen)" in summary.sentences(run_of)[0]


def test_the_contest_of_the_final_model_is_shown_as_a_table(tmp_path):
    root = run_folder(tmp_path / "run", rounds=2)
    assert "The final model" not in read_page(run.write(root)).text
    entry = {"macro_f1": 0.8, "log_loss": 0.5, "gain": 0.02, "low": -0.01, "high": 0.05}
    contest = {
        "chosen": "mean",
        "reason": "better than frozen",
        "images": 90,
        "entries": [{"name": name, **entry} for name in ("frozen", "finetune", "mean")],
    }
    facts = root / "final" / "model.json"
    facts.parent.mkdir()
    facts.write_text(json.dumps({"contest": contest}), encoding="utf-8")
    text = " ".join(read_page(run.write(root)).text.split())
    assert "Network: mean, better than frozen." in text
    assert "on 90 labelled images" in text
    assert text.count("+0.020 (-0.010 to +0.050)") == 2 and "mean chosen" in text
    contest |= {"chosen": "frozen", "reason": "no contest: one group", "entries": []}
    facts.write_text(json.dumps({"contest": contest}), encoding="utf-8")
    text = read_page(run.write(root)).text
    assert "no contest: one group" in text and "log loss" not in text


def test_a_damaged_final_model_is_told_in_one_line(tmp_path):
    root = run_folder(tmp_path / "run", rounds=2)
    (root / "final").mkdir()
    (root / "final" / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="is damaged"):
        read(root)
