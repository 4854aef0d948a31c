import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from alvision.anomaly.areas import areas

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_areas_are_those_of_scipy_in_its_order(mask):
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    boxes = ndimage.find_objects(labels)
    found = areas(mask)
    assert [(rows, columns) for rows, columns, _ in found] == boxes and len(found) == count
    for number, (rows, columns, inside) in enumerate(found, 1):
        assert np.array_equal(inside, labels[rows, columns] == number)
