import numpy as np
import pytest
import torch
from torch import nn

from alvision.deploy.bundle.backends import tiles_to_onnx
from alvision.deploy.bundle.run_tiles import BAG
from alvision.deploy.bundle.tiled_network import TiledNetwork
from alvision.models.heads import Head
from tests.support.parts import imported

imported("onnx")
imported("onnxruntime")
imported("onnxscript")


class Trunk(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 6, 3)

    def forward(self, images):
        return self.layer(images).relu().amax((2, 3))


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return TiledNetwork(Trunk(), Head(12, 3, "linear"), (0.5,) * 3, (0.25,) * 3)


def photograph(rows, columns):
    return np.random.default_rng(rows).integers(0, 256, (1, rows, columns, 16, 16, 3), np.uint8)


@pytest.mark.slow
def test_the_exported_graphs_compute_what_the_network_does(network, tmp_path):
    run = tiles_to_onnx(network, (16, 16), tmp_path)
    assert (tmp_path / BAG).is_file()
    for rows, columns in ((1, 1), (1, 2), (3, 5)):  # fewer tiles than run together, and more
        pixels = photograph(rows, columns)
        with torch.inference_mode():
            expected = network(torch.from_numpy(pixels))
        # Heat is a difference, and one tile that is left stands out by rounding alone.
        for ours, theirs, near in zip(run(pixels), expected, (1e-4, 1e-4, 1e-2), strict=True):
            assert ours.shape == theirs.shape
            assert np.allclose(ours, theirs.numpy(), atol=near)


def test_heat_is_the_grid_of_the_photograph(network):
    with torch.inference_mode():
        logits, features, heat = network(torch.from_numpy(photograph(3, 5)))
    assert logits.shape == (1, 3) and features.shape == (1, 12) and heat.shape == (1, 3, 3, 5)
