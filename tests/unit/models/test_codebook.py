"""Codebooks: nearest codes, averages, restarts that last, health."""

import pytest
import torch

from sparring.models.codebook import EmaCodebook, FiniteScalars, perplexity


def cells(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def codebook(num_codes=8, dim=3, decay=0.9):
    made = EmaCodebook(num_codes, dim, decay)
    made.initialise(cells(num_codes, dim, seed=5))
    return made


def test_each_cell_goes_to_its_nearest_code():
    book, latents = codebook(), cells(2, 3, 2, 3, 4)
    found = book(latents)
    flat = latents.movedim(1, -1).flatten(0, -2)
    nearest = torch.cdist(flat, book.codes).argmin(1)
    assert torch.equal(found.indices.flatten(), nearest)
    assert torch.allclose(found.latents, book.lookup(found.indices))
    assert torch.allclose(found.commitment, (latents - found.latents).square().flatten(1).mean(1))


def test_the_gradient_passes_as_if_nothing_were_rounded():
    latents = cells(1, 3, 2, 2, 2).requires_grad_()
    factors = cells(1, 3, 2, 2, 2, seed=1)
    (codebook()(latents).latents * factors).sum().backward()
    assert torch.allclose(latents.grad, factors)


def test_latents_pass_until_the_codebook_begins():
    latents = cells(2, 3, 2, 2, 2)
    found = EmaCodebook(8, 3, 0.9)(latents)
    assert torch.equal(found.latents, latents)
    assert found.commitment.tolist() == [0, 0]


def test_codes_follow_the_mean_of_what_takes_them():
    book = codebook(num_codes=2, decay=0.5)
    latents = torch.cat([book.codes[0] + 0.1, book.codes[1] - 0.2]).view(2, 3, 1, 1, 1)
    before = book.codes.clone()
    for _ in range(30):
        book.update(book.usage(latents, torch.tensor([0, 1])))
    assert torch.allclose(
        book.codes - before, torch.tensor([[0.1], [-0.2]]).expand(2, 3), atol=1e-4
    )


def test_pieces_of_a_batch_say_together_what_the_batch_says():
    book, latents = codebook(), cells(4, 3, 2, 2, 2)
    indices = book(latents).indices
    whole = book.usage(latents, indices)
    parts = [book.usage(latents[i : i + 1], indices[i : i + 1]) for i in range(4)]
    assert torch.equal(sum(p.counts for p in parts), whole.counts)
    assert torch.allclose(sum(p.sums for p in parts), whole.sums, atol=1e-6)


def test_an_unused_code_keeps_its_place():
    book = codebook(num_codes=2)
    latents = book.codes[0].view(1, 3, 1, 1, 1)
    unused = book.codes[1].clone()
    for _ in range(500):
        book.update(book.usage(latents, torch.tensor([0])))
    assert torch.allclose(book.codes[1], unused, atol=1e-5)
    assert book.dead(0.05).tolist() == [False, True]


def test_a_restarted_code_stays_where_it_was_put():
    """The averages move with the code: else the next update would undo the restart."""
    book = codebook(num_codes=2)
    latents = book.codes[0].view(1, 3, 1, 1, 1)
    for _ in range(200):
        book.update(book.usage(latents, torch.tensor([0])))
    place = torch.full((2, 3), 7.0)
    book.restart(book.dead(0.05), place)
    for _ in range(5):
        book.update(book.usage(latents, torch.tensor([0])))
        assert torch.allclose(book.codes[1], place[1], atol=1e-5)
        assert not book.dead(0.05).any()
    assert torch.allclose(book.codes[0], latents.flatten(), atol=1e-5)


def test_all_that_the_codebook_is_lies_in_its_state():
    book, other = codebook(), EmaCodebook(8, 3, 0.9)
    assert not other.initialised
    other.load_state_dict(book.state_dict())
    assert other.initialised
    latents = cells(2, 3, 2, 2, 2)
    for each in (book, other):
        each.update(each.usage(latents, each(latents).indices))
    assert torch.equal(book.codes, other.codes)


@pytest.mark.parametrize("levels", [(2, 3), (8, 8, 8), (7, 5, 5, 5), (4,)])
def test_finite_scalars_round_to_every_level_and_back(levels):
    book = FiniteScalars(levels)
    latents = 4 * cells(2, len(levels), 8, 8, 8)
    found = book(latents)
    assert torch.allclose(book.lookup(found.indices), found.latents, atol=1e-6)
    assert found.indices.min() >= 0
    assert found.indices.max() < book.num_codes
    for channel, count in enumerate(levels):
        assert len(found.latents[:, channel].unique()) == count
    assert found.latents.abs().max() <= 1


def test_finite_scalars_let_gradients_through():
    latents = cells(1, 2, 2, 2, 2).requires_grad_()
    FiniteScalars((5, 4))(latents).latents.sum().backward()
    assert (latents.grad > 0).all()


def test_perplexity_counts_codes_that_are_used_alike():
    assert perplexity(torch.tensor([5.0, 5.0, 0.0, 5.0])) == pytest.approx(3)
    assert perplexity(torch.tensor([9.0, 0.0])) == pytest.approx(1)
