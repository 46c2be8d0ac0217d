"""Conditions stay with their latents: drawn as reals, gathered from shards, given to samples."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sparring.artefacts.conditions import COLUMN, conditions_attribute
from sparring.artefacts.latent_sets import read_latent_set
from sparring.artefacts.latents import (
    latents_info,
    read_column,
    read_conditions,
    read_latents,
    writing_latents,
)
from sparring.errors import UserError
from sparring.sampling.conditions import conditions_of
from sparring.settings.stages import EncodeReal, GatherFake
from sparring.stages.data import encode_real, gather_fake
from sparring.stages.job import Job

NAMES = ["flat", "house", "tower"]


def write(path, conditions, names=NAMES, **columns):
    """Latents that are their own condition's number everywhere."""
    numbers = np.array(conditions)
    with writing_latents(path, len(numbers), {"kind": "x"} | conditions_attribute(names)) as writer:
        writer.append(np.broadcast_to(numbers[:, None, None, None], (len(numbers), 2, 4, 4)))
        writer.column(COLUMN, numbers)
        for name, values in columns.items():
            writer.column(name, values)
    return path


def test_reals_keep_theirs_and_know_also_those_not_drawn(tmp_path):
    conditions = [0, 1] * 20 + [2]
    names = [str(n) for n in range(41)]
    train = write(
        tmp_path / "train.h5", conditions,
        sample_id=names, original_id=names, is_augmented=np.zeros(41, bool),
    )  # fmt: skip
    settings = EncodeReal(seed=0, iteration=0, num_samples=12)
    encode_real(Job(settings, Path("job.json"), {}), train, tmp_path / "real.h5")
    info = latents_info(tmp_path / "real.h5")
    assert info.conditions == NAMES
    numbers = read_conditions(info)
    assert np.array_equal(numbers, read_latents(info.path)[:, 0, 0, 0])
    assert set(numbers) >= {0, 1}
    assert np.array_equal(read_latent_set(info.path).condition, numbers)


def test_gathered_shards_keep_theirs(tmp_path):
    shards = [
        write(tmp_path / f"{n}.h5", conditions, noise_index=np.array([2 * n, 2 * n + 1]))
        for n, conditions in enumerate(([2, 0], [1, 1]))
    ]
    gather_fake(Job(GatherFake(batch_size=4), Path("job.json"), {}), shards, tmp_path / "all.h5")
    info = latents_info(tmp_path / "all.h5")
    assert info.conditions == NAMES
    assert list(read_conditions(info)) == [2, 0, 1, 1]
    assert list(read_column(info.path, "noise_index")) == [0, 1, 2, 3]


def test_samples_have_conditions_as_often_as_the_training_data(tmp_path):
    """Within five standard errors of the shares, or the discriminator could tell by them alone."""
    info = latents_info(write(tmp_path / "train.h5", [0] * 6 + [1] * 3 + [2]))
    count = 4000
    found = Counter(conditions_of(info, 1, "sample_fake", 0).of(range(count)))
    for number, share in enumerate((0.6, 0.3, 0.1)):
        assert abs(found[number] / count - share) < 5 * np.sqrt(share * (1 - share) / count)


def test_a_samples_condition_depends_on_its_number_alone(tmp_path):
    info = latents_info(write(tmp_path / "train.h5", [0, 1, 2]))
    drawn = conditions_of(info, 1, "sample_fake", 0)
    whole = drawn.of(range(40))
    assert np.array_equal(whole, np.concatenate([drawn.of(range(13)), drawn.of(range(13, 40))]))
    assert not np.array_equal(whole, conditions_of(info, 1, "sample_fake", 1).of(range(40)))


def test_one_condition_can_be_asked_for_by_name(tmp_path):
    info = latents_info(write(tmp_path / "train.h5", [0, 1, 2]))
    assert set(conditions_of(info, 1, "sample", only="tower").of(range(9))) == {2}
    with pytest.raises(UserError, match=r"condition is 'barn', but .* flat, house, tower"):
        conditions_of(info, 1, "sample", only="barn")


def test_latents_without_conditions_cannot_give_any(tmp_path):
    with writing_latents(tmp_path / "plain.h5", 1, {"kind": "x"}) as writer:
        writer.append(np.zeros((1, 2, 4, 4)))
    with pytest.raises(UserError, match=r"plain\.h5: names no conditions"):
        conditions_of(latents_info(tmp_path / "plain.h5"), 1, "sample")
