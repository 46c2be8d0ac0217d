"""The nearest latents are those that looking at all of them finds."""

import numpy as np
import pytest

from sparring.artefacts.latents import writing_latents
from sparring.sampling.neighbours import nearest_latents

SHAPE = (2, 4, 4)


@pytest.fixture
def latents(tmp_path):
    """600 latents, more than are read at once."""
    rows = np.random.default_rng(0).standard_normal((600, *SHAPE)).astype(np.float16)
    with writing_latents(tmp_path / "train.h5", len(rows), {"kind": "encoded"}) as file:
        file.append(rows)
    return tmp_path / "train.h5", rows.astype(np.float64)


def test_all_are_looked_at(latents):
    path, rows = latents
    queries = np.random.default_rng(1).standard_normal((5, *SHAPE)).astype(np.float16)
    found, distance = nearest_latents(queries, path, 3)
    for query, numbers, near in zip(queries.astype(np.float64), found, distance, strict=True):
        all_distances = np.sqrt(((rows - query) ** 2).mean(axis=(1, 2, 3)))
        assert numbers.tolist() == np.argsort(all_distances)[:3].tolist()
        assert near == pytest.approx(np.sort(all_distances)[:3], rel=1e-4)


def test_a_copy_lies_at_no_distance(latents):
    path, rows = latents
    found, distance = nearest_latents(rows[[7, 599]].astype(np.float16), path, 1)
    assert found[:, 0].tolist() == [7, 599]
    assert distance[:, 0] == pytest.approx([0, 0], abs=2e-3)


def test_there_may_be_fewer_than_wanted(latents):
    path, rows = latents
    found, distance = nearest_latents(rows[:2].astype(np.float16), path, 1000)
    assert found.shape == distance.shape == (2, 600)
    assert (np.diff(distance) >= 0).all()
