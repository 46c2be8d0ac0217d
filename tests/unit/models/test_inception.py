"""Inception-v3: the published architecture, and files that are something else."""

import pytest
import torch

from sparring.errors import UserError
from sparring.models.inception import Inception, load_inception


@pytest.fixture(scope="module")
def network():
    return Inception().eval()


def test_it_has_the_published_parameters(network):
    """torchvision's inception_v3 without auxiliary and last layer: 21,785,568."""
    assert sum(p.numel() for p in network.parameters()) == 21_785_568


@pytest.mark.parametrize(("name", "shape"), [
    ("Conv2d_4a_3x3.conv.weight", (192, 80, 3, 3)),
    ("Mixed_5b.branch_pool.conv.weight", (32, 192, 1, 1)),
    ("Mixed_6a.branch3x3dbl_3.conv.weight", (96, 96, 3, 3)),
    ("Mixed_6c.branch7x7dbl_4.conv.weight", (160, 160, 7, 1)),
    ("Mixed_7a.branch7x7x3_4.bn.running_var", (192,)),
    ("Mixed_7c.branch3x3dbl_3b.conv.weight", (384, 384, 3, 1)),
])  # fmt: skip
def test_its_tensors_have_the_published_names_and_shapes(network, name, shape):
    assert network.state_dict()[name].shape == shape


def test_the_planes_are_those_of_the_paper(network):
    """35x35x288 before the first reduction, 17x17x768 before the second, 8x8x2048 at the end."""
    seen = {}
    for name in ("Mixed_5d", "Mixed_6e", "Mixed_7c"):
        block = getattr(network, name)
        block.register_forward_hook(lambda _m, _i, y, name=name: seen.update({name: y.shape[1:]}))
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 2048)
    assert seen == {"Mixed_5d": (288, 35, 35), "Mixed_6e": (768, 17, 17), "Mixed_7c": (2048, 8, 8)}


def test_weights_are_read_with_more_tensors_than_are_used(network, tmp_path):
    """The published file also has the last layer."""
    path = tmp_path / "weights.pth"
    torch.save(network.state_dict() | {"fc.weight": torch.zeros(1008, 2048)}, path)
    loaded = load_inception(path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_missing_and_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="missing; fetch it"):
        load_inception(tmp_path / "none.pth")
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"Conv2d_1a_3x3\.conv\.weight is"):
        load_inception(tmp_path / "other.pth")
