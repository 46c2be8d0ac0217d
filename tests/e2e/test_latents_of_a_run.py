"""Latents of a finished run: of layouts, of reals and of fakes."""

import h5py
import numpy as np
import pytest
from run_files import attributes

from sparring.artefacts.digests import model_digest


@pytest.mark.parametrize(("split", "count"), [("train", 128), ("val", 16), ("test", 16)])
def test_encoded_layouts_are_standardised(results, split, count):
    path = results / f"latents/tiny-tiny/{split}.h5"
    with h5py.File(path) as file:
        latents = file["latents"][:].astype(np.float64)
        assert len(set(file["sample_id"][:])) == count
    assert latents.shape == (count, 4, 8, 8)
    if split == "train":  # half precision and one mean and std per channel
        assert latents.mean(axis=(0, 2, 3)) == pytest.approx(np.zeros(4), abs=5e-3)
        assert latents.std(axis=(0, 2, 3)) == pytest.approx(np.ones(4), abs=5e-3)


def test_splits_are_disjoint(results):
    originals = []
    for split in ("train", "val", "test"):
        with h5py.File(results / f"latents/tiny-tiny/{split}.h5") as file:
            originals += set(file["original_id"][:])
    assert len(originals) == len(set(originals)) == 160


@pytest.mark.parametrize("n", [0, 1])
def test_reals_and_fakes_say_what_they_are(results, n):
    place = results / f"micro/adversarial/iteration_{n}"
    autoencoder = model_digest(results / "autoencoders/tiny")
    for kind in ("real", "fake"):
        found = attributes(place / f"{kind}_latents.h5")
        assert found["kind"] == kind
        assert found["autoencoder_digest"] == autoencoder
        assert (found["seed"], found["iteration"]) == (42, n)
    assert (found["sampler"], found["num_steps"]) == ("dpmsolver++", 4)


@pytest.mark.parametrize("n", [0, 1])
def test_reals_and_fakes_are_alike_in_number_shape_and_precision(results, n):
    """A difference in any of these would tell a discriminator which is which."""
    place = results / f"micro/adversarial/iteration_{n}"
    with (
        h5py.File(place / "real_latents.h5") as real,
        h5py.File(place / "fake_latents.h5") as fake,
    ):
        assert real["latents"].shape == fake["latents"].shape == (64, 4, 8, 8)
        assert real["latents"].dtype == fake["latents"].dtype


def test_reals_are_rows_of_the_train_split_drawn_anew_per_iteration(results):
    with h5py.File(results / "latents/tiny-tiny/train.h5") as file:
        train = dict(zip(file["sample_id"][:], file["latents"][:], strict=True))
    draws = []
    for n in range(2):
        with h5py.File(results / f"micro/adversarial/iteration_{n}/real_latents.h5") as file:
            names, latents = file["sample_id"][:], file["latents"][:]
        assert len(set(names)) == 64
        for name, latent in zip(names, latents, strict=True):
            assert np.array_equal(latent, train[name])
        draws.append(set(names))
    assert draws[0] != draws[1]


def test_fakes_of_the_iterations_start_from_other_noise(results):
    names = [results / f"micro/adversarial/iteration_{n}/fake_latents.h5" for n in range(2)]
    first, second = (h5py.File(name)["latents"][:].astype(np.float64) for name in names)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.5


def test_models_are_judged_from_the_same_noise(results):
    """Two checkpoints of nearly the same weights then give nearly the same samples."""
    names = ["start", "adversarial/iteration_0", "control/iteration_0"]
    shown = [
        h5py.File(results / f"micro/{name}/evaluation_latents.h5")["latents"][:].ravel()
        for name in names
    ]
    assert np.corrcoef(np.stack(shown).astype(np.float64)).min() > 0.9
