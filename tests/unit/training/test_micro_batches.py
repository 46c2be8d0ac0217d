"""Memory that runs out: smaller pieces, the same batch."""

import logging

import pytest
import torch

from sparring.errors import UserError
from sparring.training.batches import MicroBatches, is_out_of_memory


def limited(most, done, error=torch.OutOfMemoryError):
    """Runs out of memory with more than so many samples."""

    def piece(samples, share):
        if len(samples) > most:
            raise error("CUDA out of memory. DefaultCPUAllocator: can't allocate memory")
        done.append(list(samples))
        return share

    return piece


def test_pieces_are_made_smaller_until_they_fit(caplog):
    batches, done, forgotten = MicroBatches(), [], []
    with caplog.at_level(logging.WARNING):
        shares = batches.run(
            range(8), limited(2, done), lambda: (done.clear(), forgotten.append(1))
        )
    assert done == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert sum(shares) == 1
    assert len(forgotten) == 3
    assert "going on with 4" in caplog.text
    assert "going on with 2" in caplog.text
    assert batches.size == 2


def test_the_size_that_fits_is_kept(caplog):
    batches, done = MicroBatches(), []
    batches.run(range(4), limited(2, done), done.clear)
    caplog.clear()
    batches.run(range(4), limited(2, done), done.clear)
    assert caplog.text == ""


def test_shares_are_of_samples_not_of_pieces():
    shares = MicroBatches(2).run(range(5), lambda samples, share: share, lambda: None)
    assert shares == [0.4, 0.4, 0.2]


def test_a_single_sample_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="single patch"):
        MicroBatches().run(range(2), limited(0, [], RuntimeError), lambda: None)


def test_other_errors_pass():
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes"):
        MicroBatches().run(range(2), lambda *_: _raise(), lambda: None)


def _raise():
    raise RuntimeError("shapes differ")
