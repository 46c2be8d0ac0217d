"""Keys of VQ-GANs: impossible combinations are refused, and phase one knows only its own."""

from pathlib import Path

import pytest

from sparring.errors import UserError
from sparring.settings.reading import validate
from sparring.settings.vqgan import CodebookSettings, VqganAdversarial, VqganLosses, VqganModel


@pytest.mark.parametrize(
    ("kind", "keys", "said"),
    [
        (VqganModel, {"downsample": [4, 3, 4]}, "powers of 2"),
        (VqganModel, {"downsample": [1, 1, 1]}, "at least 2"),
        (VqganModel, {"channels": [8, 64]}, "expected 3 numbers"),
        (VqganModel, {"channels": [8, 0, 64]}, "at least"),
        (VqganModel, {"blocks": [0, 1, -1]}, "at least"),
        (VqganModel, {"blocks": [1, 1, 1]}, "nothing at full resolution"),
        (CodebookSettings, {"fsq_levels": [8, 1]}, "at least 2"),
        (VqganAdversarial, {"image_weight": 0, "volume_weight": 0}, "no discriminator is left"),
        (VqganAdversarial, {"base_channels": 6}, "multiple of 4"),
        (VqganLosses, {"perceptual_features": "vgg16"}, "without vgg16_weights"),
    ],
)
def test_impossible_keys_are_refused(kind, keys, said):
    with pytest.raises(UserError, match=said):
        validate(keys, kind, "here")


def test_phase_one_knows_nothing_of_what_only_phase_two_reads():
    changed = VqganLosses(perceptual=0.7)
    assert changed.in_phase_one == VqganLosses()
    with_file = VqganLosses(
        perceptual_features="vgg16", vgg16_weights=Path("vgg.pth"), perceptual=0.7
    )
    assert with_file.in_phase_one == with_file
    assert VqganLosses(perceptual=0).files() == []
