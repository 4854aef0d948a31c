import zipfile

import pytest
import torch
from torch import nn

from alvision.deploy.bundle.backends import strip_notes, to_onnx, to_torch
from tests.support import PROJECT
from tests.support.parts import imported

onnx = imported("onnx")
imported("onnxruntime")
imported("onnxscript")


class Small(nn.Module):
    """A network with the three outputs of a bundle's."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, pixels):
        maps = self.layer(pixels.permute(0, 3, 1, 2).float()).relu()
        features = maps.mean((2, 3))
        return features[:, :2], features, maps


def test_notes_are_stripped_wherever_they_are(tmp_path):
    helper = onnx.helper
    node = helper.make_node("Identity", ["a"], ["b"], doc_string="/srv/ana/secret.py")
    node.metadata_props.add(key="stack_trace", value="/srv/ana/secret.py, line 3")
    value = helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [1])
    value.metadata_props.add(key="from", value="/srv/ana")
    out = helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [1])
    model = helper.make_model(helper.make_graph([node], "g", [value], [out]))
    model.metadata_props.add(key="made", value="/srv/ana")
    onnx.save(model, tmp_path / "m.onnx")
    strip_notes(tmp_path / "m.onnx")
    assert b"/srv/ana" not in (tmp_path / "m.onnx").read_bytes()
    kept = onnx.load(tmp_path / "m.onnx")
    assert [one.op_type for one in kept.graph.node] == ["Identity"]


@pytest.mark.slow
def test_an_exported_program_of_torch_names_no_path(tmp_path):
    torch.manual_seed(0)
    to_torch(Small().eval(), (16, 16), tmp_path)
    with zipfile.ZipFile(tmp_path / "model.pt2") as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    for path in (str(PROJECT), "site-packages", ".py"):
        assert path.encode() not in content


@pytest.mark.slow
def test_an_exported_network_names_no_path_of_the_machine_that_exported_it(tmp_path):
    torch.manual_seed(0)
    to_onnx(Small().eval(), (16, 16), tmp_path / "model.onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    for path in (str(PROJECT), "site-packages", ".py"):
        assert path.encode() not in content
