import re
import time

import pytest
from hydra.utils import instantiate
from jaxtyping import config
from omegaconf import OmegaConf

from alvision import CONFIG_DIR
from alvision.acquisition import k_center, name_of, needs
from alvision.acquisition.testing import conformance
from tests.unit.acquisition import faulty, faulty_input

CONFIGS = [
    *sorted(CONFIG_DIR.glob("cold_start/*.yaml")),
    *sorted(CONFIG_DIR.glob("acquisition/*.yaml")),
]
FILES = list({file.read_text(encoding="utf-8"): file for file in CONFIGS}.values())
"""A cold start with the words of an acquisition is the same strategy."""
SLOW = [
    *("batch_bald", "mixture", "power_margin", "softmax_sampling"),  # these take longest
    *("least_confidence", "variation_ratio", "mean_std", "expected_entropy", "entropy"),
]
"""Left to the slow suite, where every strategy conforms: the fast tests of their own files call the
same functions, and the second row is `top_k` by a score, as `bald` and `margin` are."""
FAST = [file for file in FILES if file.stem not in SLOW]


def name(file):
    return f"{file.parent.name}/{file.stem}"


@pytest.fixture
def shapes_unchecked():
    """Leave shapes and types unchecked, which takes half the time of a conformance check."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("file", FAST, ids=name)
def test_every_configured_strategy_conforms(file, shapes_unchecked):
    conformance.check(instantiate(OmegaConf.load(file)))


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_configured_strategy_conforms_and_its_shapes_are_as_annotated(file):
    conformance.check(instantiate(OmegaConf.load(file)))


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_configured_strategy_names_bad_input(file):
    conformance.check_input(instantiate(OmegaConf.load(file)))


def test_the_strategies_are_found():
    assert {"acquisition/bald", "cold_start/random"} <= set(map(name, CONFIGS))
    assert {name(file).split("/")[1] for file in FILES} >= {*SLOW, "random_sampling", "k_center"}


@pytest.mark.parametrize(
    ("acquire", "broken"), faulty.FAULTS, ids=[name_of(acquire) for acquire, _ in faulty.FAULTS]
)
def test_a_faulty_strategy_is_refused_by_the_property_it_breaks(acquire, broken, shapes_unchecked):
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
