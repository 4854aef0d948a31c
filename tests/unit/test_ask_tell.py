"""A loop of one's own: ids in, ids out, and nothing is lost."""

import functools
import json
import subprocess
import sys
from pathlib import PurePath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alvision import CONFIG_DIR
from alvision.acquisition import bald, needs, random_sampling
from alvision.ask_tell import Asker
from tests.support import PROJECT

STRATEGIES = sorted(path.stem for path in CONFIG_DIR.glob("acquisition/*.yaml"))
IDS = [f"{number:02d}.png" for number in range(30)]


def outputs(count=30, passes=3, classes=3, seed=0):
    """Return what a model would give: log-probabilities [N,K,C] and features [N,D]."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(count, passes, classes)))
    return {"log_probs": logits.log_softmax(-1), "features": rng.normal(size=(count, 5))}


def asker(name="uncertainty_herding", **options):
    return Asker(IDS, name, classes=["ok", "worn", "bent"], defects=["worn"], **options)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_asks_in_a_loop(name):
    one = asker(name)
    one.tell({"00.png": "ok", "01.png": "worn", "02.png": "bent", "03.png": None})
    for _ in range(3):
        asked = one.ask(5, **outputs(), novelty=np.arange(30))
        assert len(set(asked)) == 5 and set(asked) <= set(one.pool)
        one.tell(dict.fromkeys(asked, "ok"))
    assert len(one.labelled) == 18 and one.skipped == ["03.png"]


@pytest.mark.slow
@given(
    st.sampled_from(["margin", "uncertainty_herding", "random_sampling", "power_margin"]),
    st.integers(0, 5),
    st.lists(st.lists(st.sampled_from(["ok", "worn", None]), min_size=1, max_size=4), max_size=4),
)
def test_no_id_is_asked_twice_and_a_saved_state_asks_the_same(name, seed, rounds):
    one = asker(name, seed=seed)
    told = []
    for answers in rounds:
        asked = one.ask(len(answers), **outputs())
        assert len(set(asked)) == len(answers) and not set(asked) & set(told)
        again = Asker.from_json(one.to_json())
        assert again.ask(len(answers), **outputs()) == asked == one.ask(len(answers), **outputs())
        told += asked
        one.tell(dict(zip(asked, answers, strict=True)))
    assert set(told) == set(one.labelled) | set(one.skipped)
    assert set(one.pool) == set(IDS) - set(told)
    assert Asker.from_json(one.to_json()).to_json() == one.to_json()


def test_seeds_differ_and_equal_seeds_agree():
    def first(seed):
        return asker("random_sampling", seed=seed).ask(10)

    assert first(1) == first(1) != first(2)


@pytest.mark.parametrize("name", ["margin", "uncertainty_herding"])
def test_arrays_lists_mappings_and_pool_rows_are_one(name):
    one = asker(name)
    one.tell({"05.png": "ok", "11.png": "worn"})
    made = outputs(passes=1)
    log_probs, features = made["log_probs"][:, 0], made["features"]
    places = [IDS.index(id) for id in one.pool]
    expected = one.ask(4, log_probs=log_probs, features=features)
    p = log_probs.exp().numpy()
    for chances in (
        {"log_probs": made["log_probs"]},
        {"log_probs": log_probs.numpy()},
        {"probabilities": p},
        {"probabilities": p.tolist()},
        {"probabilities": dict(zip(IDS, p, strict=True))},
        {"probabilities": p[places]},
        {"logits": log_probs.numpy() + 3},
    ):
        assert one.ask(4, **chances, features=features) == expected
    assert one.ask(4, log_probs=log_probs, features=torch.from_numpy(features)) == expected
    mapped = dict(zip(IDS, features, strict=True))
    assert one.ask(4, log_probs=log_probs, features=mapped) == expected


def test_ties_do_not_follow_the_order_of_the_files():
    equal = np.full((30, 2), 0.5)
    asked = asker("margin").ask(10, probabilities=equal)
    assert sorted(asked) != IDS[:10]


def test_a_function_may_choose():
    made = outputs()
    by_name = Asker(IDS, "bald").ask(3, log_probs=made["log_probs"])
    assert Asker(IDS, bald).ask(3, log_probs=made["log_probs"]) == by_name
    assert len(Asker(IDS, random_sampling).ask(3)) == 3

    @needs("log_probs")
    def certainty(log_probs, *, sign=1.0):
        return sign * log_probs.exp().mean(1).amax(-1)

    one = Asker(IDS, functools.partial(certainty, sign=-1.0))
    assert len(one.ask(3, log_probs=made["log_probs"])) == 3
    again = Asker.from_json(one.to_json(), acquisition=certainty)
    assert again.pool == one.pool
    with pytest.raises(ValueError, match="the acquisition was a function"):
        Asker.from_json(one.to_json())


def test_a_strategy_of_the_current_folder_goes_by_its_name(tmp_path, monkeypatch):
    folder = tmp_path / "configs" / "acquisition"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(
        "_target_: alvision.acquisition.random_sampling\n_partial_: true\n"
    )
    monkeypatch.chdir(tmp_path)
    assert len(Asker(IDS, "mine").ask(2)) == 2


def test_whole_numbers_stay_whole_numbers():
    one = Asker(np.arange(4), "random_sampling", seed=3)
    one.tell({np.int64(2): np.int64(1)})
    again = Asker.from_json(one.to_json())
    assert again.pool == [0, 1, 3] and again.labelled == {2: 1}
    assert json.loads(one.to_json())["told"] == [[2, 1]]


GOOD = np.full((30, 2), 0.5)
HOLE = np.where(np.eye(30, 2), np.nan, np.log(0.5))
MISTAKES = {
    "too many": ({"n": 31, "probabilities": GOOD}, "30 ids left"),
    "nothing given": (
        {"n": 1},
        "margin reads predictions: give probabilities=, log_probs= or logits=",
    ),
    "two forms": ({"n": 1, "probabilities": GOOD, "logits": GOOD}, "give one of them"),
    "wrong length": ({"n": 1, "probabilities": GOOD[:7]}, "7 rows; give 30"),
    "not a number": (
        {"n": 1, "log_probs": HOLE},
        "NaN in 00.png",
    ),
    "no probabilities": ({"n": 1, "probabilities": GOOD + 0.1}, "do not sum to one in 00.png"),
    "probabilities for log": ({"n": 1, "log_probs": GOOD}, "do not sum to one"),
    "negative": ({"n": 1, "probabilities": GOOD + np.array([-1, 1])}, "a negative probability"),
    "one axis": ({"n": 1, "probabilities": GOOD[:, 0]}, r"expected \[N, C classes\]"),
    "a half": ({"n": 1.5, "probabilities": GOOD}, r"n=1\.5: it must be a whole number"),
    "ragged": (
        {"n": 1, "probabilities": {id: [0.5, 0.5] for id in IDS} | {"07.png": [1.0]}},
        r"the row of '07\.png' is \[1\], the first row \[2\]",
    ),
    "texts": (
        {"n": 1, "probabilities": [["a", "b"]] * 30},
        r"probabilities: the row of '00\.png' does not hold numbers",
    ),
    "an id missing": ({"n": 1, "probabilities": {"00.png": [0.5, 0.5]}}, "no row for '01.png'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake):
    given, says = MISTAKES[mistake]
    with pytest.raises(ValueError, match=says):
        Asker(IDS, "margin").ask(**given)


def test_what_is_labelled_needs_features_too():
    one, made = asker("k_center"), outputs()
    with pytest.raises(ValueError, match="give features="):
        one.ask(1)
    one.tell({"00.png": "ok"})
    with pytest.raises(ValueError, match=r"features for each of the 30 ids"):
        one.ask(1, features=made["features"][1:])


@pytest.mark.parametrize(
    ("ids", "labels", "says"),
    [
        pytest.param(["a", "a"], {}, "'a' occurs twice", id="an id twice"),
        pytest.param([], {}, "there is none", id="no id"),
        pytest.param(["a"], {"b": "ok"}, "'b' is none of the ids", id="an unknown id"),
        pytest.param(["a"], {"a": "dent"}, "'dent' of 'a' is none of", id="an unknown label"),
        pytest.param(["a"], {"a": ["ok"]}, "is a list", id="no label at all"),
    ],
)
def test_ids_and_labels_are_checked(ids, labels, says):
    with pytest.raises(ValueError, match=says):
        Asker(ids, classes=["ok", "worn"]).tell(labels)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"ids": [PurePath("a")]}, r"strings; write str\(path\)", id="paths"),
        pytest.param({"ids": "abc"}, "ids='abc': give a list", id="a single text"),
        pytest.param({"seed": 1.5}, "seed=1.5: it must be a whole number", id="half a seed"),
        pytest.param({"seed": -1}, "seed=-1", id="a negative seed"),
        pytest.param({"seed": "7"}, "seed='7'", id="a seed as text"),
        pytest.param({"classes": "ok"}, "classes='ok': give a list", id="classes"),
        pytest.param({"defects": [None]}, "defects must be a list of names", id="defects"),
    ],
)
def test_what_an_asker_is_made_from_is_checked(given, says):
    with pytest.raises(ValueError, match=says):
        Asker(**{"ids": ["a"]} | given)


@pytest.mark.parametrize(("key", "value"), [("seed", 1.5), ("ids", "abc"), ("defects", 3)])
def test_a_state_is_checked_as_its_arguments_are(key, value):
    state = json.loads(asker().to_json()) | {key: value}
    with pytest.raises(ValueError, match=f"{key}="):
        Asker.from_json(json.dumps(state))


def test_numpy_s_whole_numbers_are_whole_numbers():
    one = Asker(np.arange(3), "random_sampling", seed=np.int64(2))
    assert len(one.ask(np.int64(2))) == 2 and json.loads(one.to_json())["seed"] == 2


def test_labels_without_ids_are_refused():
    with pytest.raises(ValueError, match="tell: give a mapping from id to label, not a list"):
        asker().tell(["00.png"])


@pytest.mark.parametrize("text", ["{}", "", "[]", '{"format": 2}', '{"format": 1}'])
def test_a_text_that_is_no_state_says_so(text):
    with pytest.raises(ValueError, match=r"not what Asker\.to_json gave"):
        Asker.from_json(text)


def test_an_unknown_strategy_names_those_there_are():
    with pytest.raises(ValueError, match=r"acquisition=marginn is unknown.*margin"):
        Asker(IDS, "marginn")


def test_torch_waits_for_the_first_question():
    code = (
        "import sys, alvision; a = alvision.Asker(['a', 'b'], lambda log_probs: 0);"
        "a.tell({'a': 'ok'}); a.to_json(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Stub:
    """A model and people for the example in the documents."""

    def outputs(self, ids):
        return outputs(len(ids))["log_probs"].exp().mean(1), outputs(len(ids))["features"]

    def fit(self, labels):
        self.fitted = labels

    def label(self, id):
        return "ok"


def test_the_documents_show_a_loop_that_runs(tmp_path, monkeypatch):
    page = (PROJECT / "docs" / "python.md").read_text(encoding="utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    assert "Asker" in example and len(example.strip().splitlines()) <= 12
    (tmp_path / "photos").mkdir()
    for id in IDS:
        (tmp_path / "photos" / id).touch()
    monkeypatch.chdir(tmp_path)
    model = Stub()
    exec(example, {"my_model": model, "my_people": Stub()})
    assert len(model.fitted) == 15
    assert len(Asker.from_json((tmp_path / "asker.json").read_text()).pool) == 15
