"""Perceptual features: VGG16 from a user's file, the autoencoder's own encoder."""

import hashlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sparring.compute import Compute
from sparring.errors import UserError
from sparring.models.autoencoder import Codec, Decoded, build_autoencoder
from sparring.models.perceptual import EncoderFeatures, Vgg16, Vgg16Features, load_vgg16
from sparring.randomness import seeded_initialisation
from sparring.settings.autoencoder import AutoencoderSettings

CPU = Compute(torch.device("cpu"), bf16=False)
PALETTE = np.array([[255, 255, 255], [200, 30, 30], [30, 200, 30], [20, 20, 90]], dtype=np.uint8)


@pytest.fixture(scope="module")
def weights():
    """A state dict as torchvision publishes it: also the fifth stage and the classifier."""
    with seeded_initialisation(0, "vgg16"):
        tensors = Vgg16().state_dict()
    return tensors | {
        "features.24.weight": torch.zeros(512, 512, 3, 3),
        "classifier.0.bias": torch.zeros(4096),
    }


@pytest.fixture(scope="module")
def published(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(weights, path)
    return path


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def codec(**keys):
    small = {"block_out_channels": (8, 8), "norm_num_groups": 4, "latent_channels": 2}
    settings = AutoencoderSettings(dataset="d", epochs=1, **small | {"input": "classes"} | keys)
    with seeded_initialisation(0, "autoencoder"):
        model = build_autoencoder(settings, 4, 16)
    return Codec(model.requires_grad_(False), PALETTE, CPU)


def layouts(seed, count=2):
    ids = np.random.default_rng(seed).integers(4, size=(count, 4, 4), dtype=np.uint8)
    return np.kron(ids, np.ones((1, 4, 4), np.uint8))


def test_names_and_shapes_are_torchvisions():
    """The parameters of torchvision.models.vgg16().features up to relu4_3."""
    indices = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21]
    names = {f"features.{n}.{kind}" for n in indices for kind in ("weight", "bias")}
    state = Vgg16().state_dict()
    assert set(state) == names
    assert state["features.10.weight"].shape == (256, 128, 3, 3)
    assert state["features.21.weight"].shape == (512, 512, 3, 3)


def test_maps_end_each_stage(published):
    maps = load_vgg16(published, sha(published))(torch.zeros(1, 3, 32, 32))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)
    ]  # fmt: skip
    assert all((m >= 0).all() for m in maps)


def test_rgb_is_normalised_as_for_imagenet(published):
    """The mean colour of ImageNet is the zero that the first convolution sees."""
    network = load_vgg16(published, sha(published))
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1).expand(1, 3, 8, 8)
    found = network(mean * 2 - 1)[0]
    bias = network.features[0].bias
    expected = network.features[2](torch.relu(bias).reshape(1, -1, 1, 1).expand(1, -1, 8, 8)).relu()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_safetensors_are_read_too(weights, published, tmp_path):
    path = tmp_path / "vgg16.safetensors"
    save_file(weights, path)
    x = torch.rand(1, 3, 16, 16)
    for a, b in zip(load_vgg16(path, sha(path))(x), load_vgg16(published, sha(published))(x),
                    strict=True):  # fmt: skip
        assert torch.equal(a, b)


def refusal(path, sha256):
    with pytest.raises(UserError) as caught:
        load_vgg16(path, sha256)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_missing_file_is_refused_with_the_command_to_fetch_it(tmp_path):
    assert "curl -O https://" in refusal(tmp_path / "absent.pth", "397923af")


def test_another_checksum_is_refused(published):
    message = refusal(published, "397923af")
    assert sha(published) in message
    assert "397923af" in message


def test_a_pickled_module_is_refused(tmp_path):
    path = tmp_path / "module.pth"
    torch.save(torch.nn.Linear(1, 1), path)
    assert "not a readable state dict" in refusal(path, sha(path))


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_other_tensors_are_refused(weights, tmp_path, damage):
    path, other = tmp_path / "other.pth", dict(weights)
    if damage == "missing":
        del other["features.7.bias"]
    else:
        other["features.7.bias"] = torch.zeros(3)
    torch.save(other, path)
    message = refusal(path, sha(path))
    assert "features.7.bias" in message
    assert "[128] of VGG16" in message


def both(published, **keys):
    c = codec(**keys)
    vgg = Vgg16Features(load_vgg16(published, sha(published)), c)
    return c, {"encoder": EncoderFeatures(c), "vgg16": vgg}


@pytest.mark.parametrize("name", ["encoder", "vgg16"])
@pytest.mark.parametrize("kind", ["classes", "rgb"])
def test_gradients_pass_and_the_networks_stay_frozen(published, name, kind):
    c, features = both(published, input=kind)
    latents = torch.randn(2, 2, 8, 8, requires_grad=True)
    maps = features[name].of_prediction(c.decode(latents))
    sum(m.sum() for m in maps).backward()
    assert (latents.grad.flatten(1).norm(dim=1) > 0).all()
    frozen = [*c.model.parameters(), *features["vgg16"]._network.parameters()]
    assert all(p.grad is None and not p.requires_grad for p in frozen)


@pytest.mark.parametrize("kind", ["classes", "rgb"])
def test_a_perfect_prediction_has_the_features_of_its_layout(published, kind):
    c, features = both(published, input=kind)
    ids = layouts(0)
    one_hot = torch.nn.functional.one_hot(torch.from_numpy(ids).long(), 4)
    perfect = Decoded(c.rgb(ids), one_hot.permute(0, 3, 1, 2) * 100.0)
    for source in features.values():
        for a, b in zip(source.of_prediction(perfect), source.of_layouts(ids), strict=True):
            torch.testing.assert_close(a, b)


def test_an_encoder_of_classes_without_their_head_is_refused():
    c = codec(segmentation_head=False)
    with pytest.raises(UserError, match="segmentation head has 0"):
        EncoderFeatures(c).of_prediction(c.decode(torch.zeros(1, 2, 8, 8)))
