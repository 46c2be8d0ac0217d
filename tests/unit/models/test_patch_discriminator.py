"""Patch discriminators: their size, what they give, and which slices they see."""

import pytest
import torch
from torch import nn

from sparring.artefacts.models import load_model, save_model
from sparring.models.patch_discriminator import PatchDiscriminator, slices
from sparring.settings.vqgan import VqganAdversarial


@pytest.mark.parametrize(("dims", "millions"), [(2, 2.8), (3, 11.0)])
@pytest.mark.parametrize("norm", ["group", "instance"])
def test_reference_widths_have_the_known_size(dims, millions, norm):
    with torch.device("meta"):
        model = PatchDiscriminator(spatial_dims=dims, norm=norm)
    count = sum(p.numel() for p in model.parameters())
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("norm", ["group", "instance"])
def test_a_sample_is_judged_alone(dims, norm, tmp_path):
    """Nothing goes across the batch; a directory holds the same judge."""
    model = PatchDiscriminator(dims, 4, 2, norm)
    x = torch.randn(3, 1, *(16,) * dims)
    logits = model(x)[0][-1]
    assert logits.shape[:2] == (3, 1)
    assert torch.allclose(model(x[1:2])[0][-1], logits[1:2], atol=1e-5)
    save_model(model, tmp_path)
    assert torch.equal(load_model(PatchDiscriminator, tmp_path)(x)[0][-1], logits)


def test_slices_are_taken_along_every_axis():
    x = torch.arange(2 * 4**3, dtype=torch.float32).view(2, 1, 4, 4, 4)
    places = torch.tensor([[[0, 3], [1, 1], [2, 0]], [[3, 2], [0, 1], [1, 2]]])
    found = slices(x, places).view(2, 3, 2, 4, 4)
    for b in range(2):
        for k in range(2):
            d, h, w = places[b, :, k]
            assert torch.equal(found[b, 0, k], x[b, 0, d])
            assert torch.equal(found[b, 1, k], x[b, 0, :, h])
            assert torch.equal(found[b, 2, k], x[b, 0, :, :, w])


def test_slices_let_gradients_through():
    x = torch.zeros(1, 1, 4, 4, 4, requires_grad=True)
    slices(x, torch.zeros(1, 3, 1, dtype=torch.long)).sum().backward()
    assert x.grad.sum() == 3 * 16


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_logit_sees_what_the_settings_say(layers):
    """The side of the gradient of one logit, normalisation aside."""
    model = PatchDiscriminator(2, 4, layers)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(parent, name, nn.Identity())
    x = torch.randn(1, 1, 160, 160, requires_grad=True)
    logits = model(x)[0][-1]
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = x.grad[0, 0].abs().sum(0).nonzero().flatten()
    wanted = VqganAdversarial(num_layers=layers).receptive_field
    assert seen[-1] - seen[0] + 1 == wanted


@pytest.mark.parametrize("dims", [2, 3])
def test_a_further_scale_sees_what_is_coarse_and_nothing_fine(dims):
    """A checkerboard averages out: only the first scale can tell it."""
    model = PatchDiscriminator(dims, 4, 1, scales=2)
    flat = torch.zeros(1, 1, *(24,) * dims)
    checked = flat + (
        torch.stack(torch.meshgrid(*[torch.arange(24)] * dims, indexing="ij")).sum(0) % 2 * 2 - 1
    )
    fine, coarse = zip(model(flat), model(checked), strict=True)
    assert not torch.allclose(fine[0][-1], fine[1][-1])
    assert torch.allclose(coarse[0][-1], coarse[1][-1], atol=1e-6)
    assert [f[-1].shape[-1] for f in model(flat)] == [10, 4]


def test_scales_have_weights_of_their_own():
    one, two = (PatchDiscriminator(2, 4, 1, scales=scales) for scales in (1, 2))
    count = [sum(p.numel() for p in model.parameters()) for model in (one, two)]
    assert count[1] == 2 * count[0]
