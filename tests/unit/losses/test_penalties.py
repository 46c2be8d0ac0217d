"""Gradient penalties and the loss of pairs."""

import pytest
import torch

from sparring.losses.discrimination import gradient_penalty, relativistic_loss

SHAPES = [(3, 4, 4), (3, 4, 4, 2)]


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES, ids=["layouts", "volumes"])
def test_of_a_linear_discriminator_it_is_exact(shape):
    """D(x) = w x + b: |w|^2 / 2 at every input, and w is its gradient by w."""
    w, x = draws(*shape, seed=1).requires_grad_(), draws(5, *shape)
    found = gradient_penalty(lambda x: (x * w).flatten(1).sum(1) + 3.0, x)
    torch.testing.assert_close(found, (0.5 * w.square().sum()).expand(5))
    (gradient,) = torch.autograd.grad(found.mean(), w)
    torch.testing.assert_close(gradient, w.detach())


def test_of_a_quadratic_discriminator_it_is_exact():
    """D(x) = x A x / 2 has the gradient A x, of each input by itself."""
    a, x = draws(6, 6, seed=1), draws(5, 6)
    a = a + a.T
    found = gradient_penalty(lambda x: 0.5 * (x @ a * x).sum(1), x)
    torch.testing.assert_close(found, 0.5 * (x @ a).square().sum(1))


def test_its_gradient_agrees_with_finite_differences():
    x = draws(3, 4)

    def penalty(weight, bias):
        return gradient_penalty(lambda x: torch.tanh(x @ weight + bias).sum(1), x)

    inputs = draws(4, 2, seed=1).requires_grad_(), draws(2, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(penalty, inputs)


def test_it_works_without_gradients_and_leaves_the_inputs_alone():
    x = draws(2, 4)
    with torch.no_grad():
        found = gradient_penalty(lambda x: (x**2).sum(1), x)
    torch.testing.assert_close(found, 2 * x.square().sum(1))
    assert x.grad is None
    assert not x.requires_grad


def test_half_precision_inputs_are_penalised_in_single():
    """Squares of small gradients vanish in half precision."""
    x = torch.ones(2, 4, dtype=torch.bfloat16)
    found = gradient_penalty(lambda x: 1e-12 * x.sum(1), x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.full((2,), 2e-24), rtol=1e-5, atol=0)


def test_pairs_are_told_by_their_difference():
    a, b = draws(20), draws(20, seed=1)
    expected = -torch.sigmoid(a - b).log()
    torch.testing.assert_close(relativistic_loss(a, b), expected)
    torch.testing.assert_close(relativistic_loss(a + 5, b + 5), expected)
    lesser = relativistic_loss(a, b) - relativistic_loss(b, a)
    torch.testing.assert_close(lesser, b - a)  # exchanged it is the other one's


def test_gradients_of_pairs_agree_with_finite_differences():
    inputs = draws(6).requires_grad_(), draws(6, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(relativistic_loss, inputs)


def test_confident_pairs_stay_finite():
    a = torch.tensor([-200.0, 200.0], requires_grad=True)
    loss = relativistic_loss(a, torch.zeros(2))
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([200.0, 0.0])
    assert a.grad.tolist() == pytest.approx([-1.0, 0.0])
