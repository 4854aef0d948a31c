import torch
from hypothesis import given
from hypothesis import strategies as st

from alvision.anomaly.scores import image_scores


@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_score_is_the_mean_of_the_strangest_patches_whatever_their_order(values, top):
    distances = torch.tensor([values])
    count = max(1, round(top * len(values)))
    expected = sum(sorted(values)[-count:]) / count
    assert torch.allclose(image_scores(distances, top), torch.tensor([expected]), rtol=1e-4)
    assert torch.equal(image_scores(distances.flip(1), top), image_scores(distances, top))
