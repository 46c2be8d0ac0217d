"""Figures from neighbours: each falls where it should, and only there."""

import numpy as np
import pytest

from sparring.evaluation.neighbours import (
    Projected,
    Projection,
    manifold_figures,
    memorisation_figure,
    nearest_originals,
)
from sparring.evaluation.statistics import Parts, estimate_of
from sparring.randomness import numpy_generator

FIGURES = ("precision", "recall", "density", "coverage")


def points(count=200, seed=0, dim=6):
    return np.random.default_rng(seed).normal(size=(count, dim))


def figures_of(samples, reals, real_groups=None):
    real_groups = np.arange(len(reals)) if real_groups is None else real_groups
    groups = np.arange(len(samples)), real_groups
    return manifold_figures(samples, reals, groups, Parts.of(*groups, 0))


def figures(samples, reals, real_groups=None):
    return {k: f.value for k, f in figures_of(samples, reals, real_groups).items()}


def test_against_plain_loops():
    x, y, k = points(25, 1, 3), points(30, 2, 3), 5

    def radius(rows, i):
        return sorted(np.linalg.norm(rows - rows[i], axis=1))[k]

    r_y, r_x = [radius(y, i) for i in range(30)], [radius(x, j) for j in range(25)]
    d = np.linalg.norm(x[:, None] - y[None], axis=2)
    found = figures(x, y)
    assert found["precision"] == pytest.approx((d < r_y).any(1).mean())
    assert found["density"] == pytest.approx((d < r_y).sum(1).mean() / k)
    assert found["coverage"] == pytest.approx((d < r_y).any(0).mean())
    assert found["recall"] == pytest.approx((d < np.array(r_x)[:, None]).any(0).mean())


def test_deviations_are_what_computing_again_without_a_group_gives():
    """Radii included; several rows of one original or noise on both sides."""
    x, y, groups = points(40, 1, 3), points(60, 2, 3), (np.arange(40) // 2, np.arange(60) // 3)
    parts = Parts.of(*groups, 0)
    found = manifold_figures(x, y, groups, parts)
    for g in range(parts.count):
        ours, theirs = parts.samples != g, parts.reals != g
        rest = groups[0][ours], groups[1][theirs]
        without = manifold_figures(x[ours], y[theirs], rest, Parts.of(*rest, 0))
        for name, figure in found.items():
            change = without[name].value - figure.value
            assert figure.deviations[0][0, g] == pytest.approx(change, abs=1e-12)


def test_equal_distributions():
    found = figures(points(400, 1), points(400, 2))
    assert found["density"] == pytest.approx(1, abs=0.1)
    assert found["coverage"] == pytest.approx(1 - 0.5**5, abs=0.04)


def test_a_dropped_mode_costs_coverage_and_recall_but_not_precision():
    reals, same, few = points(400, 1), points(400, 2), points(400, 3)
    far = np.zeros(6)
    far[0] = 20
    reals[::2] += far
    same[::2] += far
    whole, dropped = figures(same, reals), figures(few, reals)
    assert dropped["coverage"] < 0.6 * whole["coverage"]
    assert dropped["recall"] < 0.6 * whole["recall"]
    assert dropped["precision"] > 0.9 * whole["precision"]


@pytest.mark.parametrize(("share", "detected"), [(0.01, False), (0.25, True)])
def test_a_mode_is_missed_where_enough_of_the_samples_lack_it(share, detected):
    """The paired loss of coverage against samples that lack nothing, in standard errors."""
    reals, same = points(400, 1), points(400, 2)
    far = np.eye(6)[0] * 20
    reals[: int(share * 400)] += far
    lacking = same.copy()
    same[: int(share * 400)] += far
    lost = figures_of(same, reals)["coverage"].minus(figures_of(lacking, reals)["coverage"])
    assert (estimate_of([lost]).p_above() < 0.005) == detected


def test_samples_off_the_manifold_cost_precision():
    reals = points(300, 1)
    assert figures(points(300, 2) * 3, reals)["precision"] < 0.5


def test_a_radius_reaches_to_another_original():
    """Taken for originals, copies that lie together have balls of no size, empty of samples."""
    originals = points(60, 4)
    copies = np.repeat(originals, 6, axis=0) + 1e-6 * points(360, 5)
    known = figures(points(100, 6), copies, np.repeat(np.arange(60), 6))
    unknown = figures(points(100, 6), copies)
    assert known["precision"] > 0.4
    assert unknown["precision"] < 0.05


def projected(count, seed, first=0):
    return Projected(points(count, seed, 32), np.arange(first, first + count))


class TestMemorisation:
    train, held_out = projected(300, 1), projected(100, 2, 1000)

    def share(self, samples, seeds=range(5)):
        parts = Parts.of(samples.groups, self.held_out.groups, 0)
        return memorisation_figure(samples, self.train, self.held_out, parts, seeds)

    def p(self, samples):
        """One-sided, of "memorises"."""
        return estimate_of([self.share(samples)]).p_above(0.5)

    def test_deviations_are_what_computing_again_without_a_group_gives(self):
        samples = projected(60, 3, 5000)
        parts = Parts.of(samples.groups, self.held_out.groups, 0)
        found = self.share(samples, [7])
        drawn = numpy_generator(7, "evaluation", "memorisation").permutation(300)[:100]

        def share(kept, held, train):
            """As it would be of these rows alone."""
            near = [np.linalg.norm(samples.latents[kept][:, None] - y[None], axis=2).min(1)
                    for y in (self.held_out.latents[held], self.train.latents[train])]  # fmt: skip
            return (near[1] < near[0]).mean()

        everything = share(np.ones(60, bool), np.ones(100, bool), drawn)
        assert found.value == pytest.approx(everything)
        for g in range(parts.count):
            train = drawn[np.arange(100) % parts.count != g]
            without = share(parts.samples != g, parts.reals != g, train)
            assert found.deviations[0][0, g] == pytest.approx(without - everything)

    def test_new_samples_are_as_near_to_either(self):
        assert 0.01 < self.p(projected(400, 3, 5000)) < 0.99

    def test_copies_of_training_layouts_are_told(self):
        """A third of the training originals is drawn per seed: such a share is seen at once."""
        copies = Projected(self.train.latents + 0.01 * points(300, 4, 32), np.arange(7000, 7300))
        assert self.p(copies) < 0.005
        assert self.share(copies).value == pytest.approx(0.5 + 0.5 / 3, abs=0.08)

    def test_a_copy_among_hundreds_is_not_claimed(self):
        samples = projected(400, 3, 5000)
        samples.latents[:2] = self.train.latents[:2] + 0.01
        assert self.p(samples) > 0.01

    def test_a_training_layout_is_not_compared_with_itself(self):
        """Else the null would look like perfect memorisation."""
        found = self.share(Projected(self.train.latents[:150], self.train.groups[:150]))
        assert abs(found.value - 0.5) < 0.1


def test_nearest_originals_are_found_with_their_distance():
    train = points(50, 1, 16)
    rows, distances = nearest_originals(train[[7, 3]] + 1e-3, train)
    assert rows.shape == distances.shape == (2, 3)
    assert rows[:, 0].tolist() == [7, 3]
    assert (np.diff(distances, axis=1) >= 0).all()
    assert nearest_originals(train, train[:2])[0].shape == (50, 2)


def test_projection_keeps_the_nearest():
    latents = np.random.default_rng(0).normal(size=(200, 4, 8, 8)).astype(np.float16)
    project = Projection(latents.shape[1:], 0)
    copies = latents[:20] + 0.2 * np.random.default_rng(1).normal(size=latents[:20].shape)
    rows, _ = nearest_originals(project(copies.astype(np.float16)), project(latents), k=1)
    assert rows[:, 0].tolist() == list(range(20))
    assert (Projection(latents.shape[1:], 0)(latents) == project(latents)).all()
