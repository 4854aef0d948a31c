from types import SimpleNamespace

import pytest

from alvision.core.errors import UserError
from alvision.data.images import ImageSpec
from alvision.inference import features
from alvision.inference.features import Features


def test_patches_that_do_not_fit_into_memory_are_refused_before_any_image_is_read(monkeypatch):
    monkeypatch.setattr(features, "available", lambda: 10**8)
    asked = SimpleNamespace(spec=ImageSpec(32), backbone=object())
    with pytest.raises(UserError, match=r"novelty takes 0.40 GB of memory and 0.10 GB are free"):
        Features.read_patches(asked, "resnet18")
