"""The denoiser of volumes behind the interface of the one of layouts."""

import subprocess
import sys

import pytest
import torch

from sparring.artefacts.models import load_model
from sparring.errors import UserError
from sparring.models.denoiser import (
    build_denoiser,
    build_scheduler,
    load_denoiser,
    num_conditions,
    predict,
    predict_guided,
    sampled_shape,
    save_denoiser,
)
from sparring.models.unet3d import UNet3DModel
from sparring.randomness import seeded_initialisation
from sparring.settings.parts import DenoiserSettings, NoiseScheduleSettings

SIDES = (4, 2, 6)
TINY = DenoiserSettings(preset="unet3d_tiny")


def denoiser(conditions=0, awake=True):
    """With `awake` not at zero, as a fresh one's last convolution is."""
    with seeded_initialisation(0, "unet3d"):
        model = build_denoiser(TINY, 4, SIDES, conditions)
        zero = [p for p in model.parameters() if p.ndim > 1 and not p.any()]
        assert len(zero) > 3  # the last of each residual block, and of all
        for p in zero if awake else ():
            torch.nn.init.normal_(p, std=0.1)
    return model.eval()


def noised(count=3):
    x = torch.randn(count, 4, *SIDES, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor([0, 500, 999][:count])


def test_importing_denoisers_leaves_monai_alone():
    program = "import sys, sparring.models.denoiser; print('monai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_a_fresh_one_predicts_zero_and_another_depends_on_everything():
    x, t = noised()
    with torch.no_grad():
        assert (predict(denoiser(awake=False), x, t) == 0).all()
        model = denoiser()
        found = predict(model, x, t)
        assert found.shape == x.shape
        assert not torch.allclose(found, predict(model, x, t.flip(0)))
        torch.testing.assert_close(predict(model, x[1:2], t[1:2]), found[1:2])
        torch.testing.assert_close(model(x[:1], 0).sample, found[:1])
        assert model(x, t, return_dict=False)[0].shape == x.shape


def test_gradients_of_small_latents_do_not_depend_on_old_memory():
    """In bf16 on a CPU they once did: NaN lay where a gradient was to be."""
    model, (x, t) = denoiser().train(), noised()
    gradients = []
    for _ in range(12):
        rubbish = [torch.full((size,), torch.nan) for size in (2_000, 20_000, 200_000)]
        del rubbish
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            predict(model, x, t).square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert all(torch.equal(g, gradients[0]) for g in gradients)
    assert gradients[0].isfinite().all()


def test_a_directory_gives_the_same_network_and_schedule_back(tmp_path):
    model, x = denoiser(), noised()
    save_denoiser(tmp_path, model, build_scheduler(NoiseScheduleSettings(num_timesteps=77)))
    again, schedule = load_denoiser(tmp_path)
    assert isinstance(again, UNet3DModel)
    assert sampled_shape(again) == (4, *SIDES)
    assert schedule.config.num_train_timesteps == 77
    with torch.no_grad():
        torch.testing.assert_close(predict(again, *x), predict(model, *x))
        plain = UNet3DModel.from_pretrained(tmp_path)
        torch.testing.assert_close(predict(plain, *x), predict(model, *x))


def test_a_discriminator_s_directory_is_no_denoiser(tmp_path):
    save_denoiser(tmp_path, denoiser(), build_scheduler(NoiseScheduleSettings()))
    from diffusers import UNet2DModel

    with pytest.raises(UserError, match="holds a UNet3DModel, expected a UNet2DModel"):
        load_model(UNet2DModel, tmp_path)


def test_conditions_and_guidance_work_as_for_layouts():
    model, (x, t) = denoiser(conditions=2), noised(2)
    labels = torch.tensor([0, 1])
    assert num_conditions(model) == 2
    with torch.no_grad():
        plain, none = predict(model, x, t, labels), predict(model, x, t, labels * 0 + 2)
        assert not torch.allclose(plain, none)
        guided = predict_guided(model, x, t, labels, 3.0)
        # a batch of four rounds otherwise than one of two, and the difference counts threefold
        torch.testing.assert_close(guided, none + 3 * (plain - none), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("preset", "side", "said"),
    [
        ("unet3d_tiny", 8, "is for latents of 3 dimensions, but these are 8 x 8"),
        ("unet_tiny", (8, 8, 8), "choose a preset that begins with unet3d"),
        ("unet3d_32_d2", (8, 8, 6), "latents are 8 x 6 wide, expected a multiple of 4"),
    ],
)
def test_latents_that_do_not_fit_are_refused(preset, side, said):
    with pytest.raises(UserError, match=said):
        build_denoiser(DenoiserSettings(preset=preset), 4, side)
