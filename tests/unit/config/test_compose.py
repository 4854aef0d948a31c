from pathlib import Path

import pytest

from alvision.config.compose import compose, keys
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
    assert compose([]).config.cold_start["per_class"] == 5


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
