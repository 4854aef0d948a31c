import numpy as np
import pytest

from alvision.config.schema import DataConfig
from alvision.data.manifest import build


def test_the_digits_are_vectors_of_grey_values():
    plain = build(DataConfig(kind="digits"))
    assert plain.features.shape == (1797, 64)
    assert (plain.features.min(), plain.features.max()) == (0, 1)
    assert set(plain.truth) == set("0123456789")
    assert len(set(plain.groups)) == 1797


def test_every_digit_three_times_is_one_group_and_no_copy_is_exact():
    plain = build(DataConfig(kind="digits"))
    thrice = build(DataConfig(kind="digits", repeats=3))
    assert len(thrice) == 3 * 1797
    assert thrice.groups[:4] == ("digit-0000",) * 3 + ("digit-0001",)
    assert thrice.truth[::3] == plain.truth
    copies = thrice.features.reshape(1797, 3, 64)
    noise = copies - plain.features[:, None]
    assert noise.std() == pytest.approx(0.1 * plain.features.std(), rel=0.02)
    assert abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(thrice.features, build(DataConfig("digits", repeats=3)).features)
