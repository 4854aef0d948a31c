from pathlib import Path

import pytest
import yaml

from alvision.config.compose import as_yaml, compose, keys, open_keys, refuse_ignored
from alvision.config.overrides import parse
from alvision.core.errors import UserError


def test_the_defaults_compose_and_the_folder_is_named_by_what_was_chosen():
    composed = compose(["data.root=somewhere/parts", "acquisition=bald", "seed=3"])
    assert Path(composed.config.out) == Path("runs/parts/bald/seed-3")
    assert composed.choices["acquisition"] == "bald"
    assert composed.config.data.kind == "folder"


def test_an_experiment_names_the_folder_and_wins_over_the_defaults():
    composed = compose(["experiment=elpv"])
    assert Path(composed.config.out) == Path("runs/elpv/uncertainty_herding/seed-0")
    assert composed.config.classes == ["functional", "defective"]
    assert composed.config.data.kind == "elpv"


def test_a_path_with_spaces_umlauts_and_equals_signs():
    root = "my parts/größe=1, [b]"
    assert compose([f"data.root={root}", "out=a b"]).config.data.root == root


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.rot=x"], "unknown key data.rot; did you mean data.root"),
        (
            ["logger.offline=true"],
            "unknown key logger.offline; did you mean logger=wandb logger.offline?",
        ),
        (["experiment.name=x"], r"unknown key experiment.name \("),
        (["acquisition.nothing=3"], "unknown key acquisition.nothing; did you mean acquisition"),
        (["sede=1"], "unknown key sede; did you mean seed"),
        (["seed=abc"], "seed: .*abc.*Integer"),
        (["model.dropout=often"], "model.dropout: .*often.*Float"),
        (["acquisition=marign"], "marign.*margin"),
        (["model=resnet1800"], "resnet1800.*resnet18"),
        (["experiment=nothing"], "nothing.*elpv"),
        (["acquisition=[margin,bald]"], "a run takes one value.*compare"),
        (["seed=1,2"], "a run takes one value"),
        (["nonsense"], "key=value"),
        (["+foo=1"], r"unknown key foo \("),
        (["++sede=1"], "unknown key sede; did you mean seed"),
        (["+model.foo=1"], r"unknown key model.foo"),
        (["+seed=1"], r"there is seed already; write it without the \+"),
        (["+experiment=elpv"], r"there is experiment already; write it without the \+"),
        (["~budget.rounds"], "cannot be taken away; leave it out to get the default$"),
        (["~model.drop_path"], "to get the default, or write model.drop_path=null"),
        (["trainer=null"], "^trainer= needs the name of a file .*; there is: auto, cpu, gpu$"),
        (["trainer=3"], "trainer= needs the name"),
        (["acquisition=nan"], "acquisition= needs the name"),
        (["acquisition="], "acquisition= needs the name"),
        (["logger=null"], "leave it out to have none"),
        (["out="], "out= is empty"),
        (["name="], "name= is empty"),
        (["data.root="], "data.root= is empty"),
        (["classes=ok"], r'^classes=ok must be a list in brackets: "classes=\[ok\]"$'),
        (["page.open=maybe"], "^page.open=maybe must be true or false$"),
        (["model.passes=null"], "model.passes=null cannot be null"),
        (["acquisition=bold"], "there is no acquisition=bold; did you mean bald.? There is: "),
        (["~acquisition"], "cannot be taken away"),
        (["hydra.run.dir=here"], r"hydra.run.dir=here would change nothing: .* out="),
        (["hydra/launcher=joblib"], "would change nothing: .*run -m"),
        (["+hydra.verbose=true"], "would change nothing"),
    ],
)
def test_bad_words_are_one_line_that_names_them(words, message):
    with pytest.raises(UserError, match=message) as caught:
        compose(words)
    assert "\n" not in str(caught.value)


def test_the_cold_start_is_a_function_and_a_number_of_labels():
    composed = compose(["cold_start=k_center", "cold_start.per_class=3"])
    assert composed.config.cold_start["per_class"] == 3
    assert composed.cold_start.func.__name__ == "k_center"
    assert set(composed.cold_start.keywords) == set()
    default = compose([])
    assert default.choices["cold_start"] == "typiclust"
    assert default.config.cold_start["per_class"] == 0


def test_a_strategy_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "my_scores.py").write_text(
        "from alvision.acquisition import needs\n"
        "@needs('log_probs')\ndef first_class(log_probs):\n    return log_probs.mean(1)[:, 0]\n"
    )
    own = tmp_path / "configs" / "acquisition"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(
        "_target_: alvision.acquisition.top_k\n_partial_: true\n"
        "score: {_target_: my_scores.first_class, _partial_: true}\n"
    )
    monkeypatch.chdir(tmp_path)
    composed = compose(["acquisition=mine"])
    assert composed.acquire.keywords["score"].func.__name__ == "first_class"


def test_a_file_that_is_not_yaml_is_named(tmp_path, monkeypatch):
    own = tmp_path / "configs" / "acquisition"
    own.mkdir(parents=True)
    (own / "broken.yaml").write_text("foo: [1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"broken\.yaml is not YAML: .* \(line 2\)") as caught:
        compose(["acquisition=broken"])
    assert "\n" not in str(caught.value)


def test_a_strategy_that_cannot_be_built_is_named(tmp_path, monkeypatch):
    own = tmp_path / "configs" / "acquisition"
    own.mkdir(parents=True)
    (own / "broken.yaml").write_text("_target_: my_missing.f\n_partial_: true\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"acquisition=broken cannot be built.*my_missing"):
        compose(["acquisition=broken"])


@pytest.mark.slow
def test_every_option_of_every_group_composes():
    from alvision.cli.help import groups
    from alvision.config.compose import GROUPS

    for group, options in groups().items():
        assert group in GROUPS
        for option in options:
            compose([f"{group}={option}"])


def test_keys_are_dotted():
    assert {"seed", "data.root", "data.image.size", "budget.initial"} <= set(keys())


def test_what_belongs_to_a_function_may_be_added_and_taken_away():
    made = compose(["acquisition=k_center", "+acquisition.beta=2"])
    assert made.acquire.keywords["beta"] == 2
    assert "score" not in compose(["acquisition=margin", "~acquisition.score"]).acquire.keywords
    confused = compose(["+oracle.confusion.ok.worn=0.1"]).config
    assert confused.oracle.confusion == {"ok": {"worn": 0.1}}
    assert {"acquisition", "cold_start", "logger", "oracle.confusion"} <= set(open_keys())
    assert not {"seed", "model", "data.root"} & set(open_keys())


def test_a_key_that_is_there_may_be_forced():
    assert compose(["++seed=3"]).config.seed == 3


def test_a_sweep_may_say_how_its_runs_are_started():
    works = ("hydra/launcher", "hydra.launcher.", "hydra.sweeper.")
    refuse_ignored(parse(["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]), works=works)
    with pytest.raises(UserError, match="would change nothing"):
        refuse_ignored(parse(["hydra.sweep.dir=here"]), works=works)


def test_the_composed_configuration_as_yaml():
    shown = yaml.safe_load(as_yaml(["experiment=elpv", "seed=3"]))
    assert shown["seed"] == 3 and shown["data"]["kind"] == "elpv" and "hydra" not in shown
    assert yaml.safe_load(as_yaml(["seed=3"], package="budget"))["batch"] == 20
    assert as_yaml(["seed=3"], package="seed", resolve=True) == "3\n"
    with pytest.raises(UserError, match="no such part"):
        as_yaml([], package="bugdet")
