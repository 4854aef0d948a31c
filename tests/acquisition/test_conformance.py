import re
import time

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from alvision import CONFIG_DIR
from alvision.acquisition import conformance, k_center, name_of, needs
from tests.acquisition import faulty, faulty_input

FILES = sorted([*CONFIG_DIR.glob("acquisition/*.yaml"), *CONFIG_DIR.glob("cold_start/*.yaml")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_configured_strategy_conforms(file):
    conformance.check(instantiate(OmegaConf.load(file)))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_configured_strategy_names_bad_input(file):
    conformance.check_input(instantiate(OmegaConf.load(file)))


def test_the_strategies_are_found():
    names = {(file.parent.name, file.stem) for file in FILES}
    assert {("acquisition", "bald"), ("cold_start", "random")} <= names


@pytest.mark.parametrize(
    ("acquire", "broken"), faulty.FAULTS, ids=[name_of(acquire) for acquire, _ in faulty.FAULTS]
)
def test_a_faulty_strategy_is_refused_by_the_property_it_breaks(acquire, broken):
    with pytest.raises(conformance.ConformanceError, match=broken) as refused:
        conformance.check(acquire)
    assert str(refused.value).startswith(f"{name_of(acquire)} breaks '")


@pytest.mark.parametrize(
    ("acquire", "swallowed"),
    faulty_input.SWALLOWED,
    ids=[name_of(acquire) for acquire, _ in faulty_input.SWALLOWED],
)
def test_who_swallows_bad_input_is_told_what_was_wanted(acquire, swallowed):
    with pytest.raises(conformance.ConformanceError, match=swallowed):
        conformance.check_input(acquire)


def test_a_right_strategy_of_ones_own_passes():
    conformance.check(faulty.right)


def test_the_example_is_small_enough_to_read():
    with pytest.raises(conformance.ConformanceError) as refused:
        conformance.check(faulty.drops_its_best)
    assert re.search(r"picks row \d, not 0, of probabilities \[\[0.5, 0.5\], ", str(refused.value))
    assert len(str(refused.value)) < 300


def test_an_undeclared_strategy_is_told_what_to_declare():
    def mine(pool, labelled, *, n, rng):
        return k_center(pool, labelled, n=n, rng=rng)

    with pytest.raises(ValueError, match=r"mine does not declare.*@needs"):
        conformance.check(mine)
    conformance.check(needs("features")(mine))


def test_a_check_is_quick():
    started = time.process_time()
    conformance.check(faulty.right)
    assert time.process_time() - started < 5
