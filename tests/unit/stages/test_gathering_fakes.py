"""Fakes gathered from shards are, byte for byte, those that one job would have written."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from sparring.artefacts.latents import latents_info, read_column, read_latents, writing_latents
from sparring.errors import UserError
from sparring.settings.stages import GatherFake
from sparring.stages.data import gather_fake
from sparring.stages.job import Job
from sparring.stages.sampling import batches_of, blocks_of

ATTRIBUTES = {
    "kind": "fake",
    "iteration": 2,
    "autoencoder_digest": "abc",
    "source_digest": "def",
    "sampler": "ddim",
    "num_steps": 4,
    "moments": "keep",
    "seed": 1,
}


def write_fakes(path, batches) -> Path:
    """As sampling writes them: batch by batch, then the number of every noise."""
    numbers = np.concatenate([np.arange(batch.start, batch.stop) for batch in batches])
    with writing_latents(path, len(numbers), ATTRIBUTES) as writer:
        for batch in batches:
            writer.append(np.stack([latent(number) for number in batch]))
        writer.column("noise_index", numbers)
    return path


def latent(number):
    return np.random.default_rng(number).normal(size=(4, 6, 6)).astype(np.float32)


def shards_of(folder, count, size, shards) -> list[Path]:
    return [
        write_fakes(folder / f"{n}_of_{shards}.h5", batches_of(count, size, n, shards))
        for n in range(shards)
    ]


def gathered(folder, shards, size) -> Path:
    output = folder / "fake_latents.h5"
    gather_fake(Job(GatherFake(batch_size=size), Path("job.json"), {}), shards, output)
    return output


@pytest.mark.parametrize("count", [1, 7, 64, 65])
@pytest.mark.parametrize("size", [1, 4, 64])
@pytest.mark.parametrize("shards", [1, 2, 4, 7])
def test_shards_share_out_whole_batches_and_miss_none(count, size, shards):
    whole = batches_of(count, size)
    assert list(chain.from_iterable(whole)) == list(range(count))
    shares = [batches_of(count, size, n, shards) for n in range(shards)]
    assert list(chain.from_iterable(shares)) == whole
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1
    if shards <= len(whole):
        assert min(lengths) >= 1


@pytest.mark.parametrize("shards", [1, 2, 4, 7])
def test_the_number_of_shards_does_not_change_a_byte(tmp_path, shards):
    """Batches of 4, the last one smaller."""
    whole = write_fakes(tmp_path / "whole.h5", batches_of(30, 4))
    found = gathered(tmp_path, shards_of(tmp_path, 30, 4, shards), 4)
    assert found.read_bytes() == whole.read_bytes()


def test_gathered_fakes_stand_in_the_order_of_their_noise(tmp_path):
    found = gathered(tmp_path, shards_of(tmp_path, 30, 4, 3), 4)
    assert read_column(found, "noise_index").tolist() == list(range(30))
    expected = np.stack([latent(n) for n in range(30)]).astype(np.float16)
    np.testing.assert_array_equal(read_latents(found), expected)
    attributes = latents_info(found).attributes
    assert ATTRIBUTES.items() <= attributes.items()


def test_a_shard_that_is_missing_or_damaged_leaves_no_output(tmp_path):
    shards = shards_of(tmp_path, 30, 4, 3)
    shards[1].write_bytes(shards[1].read_bytes()[:1000])
    with pytest.raises(UserError) as caught:
        gathered(tmp_path, shards, 4)
    assert str(shards[1]) in str(caught.value)
    shards[1].unlink()
    with pytest.raises(UserError) as caught:
        gathered(tmp_path, shards, 4)
    assert str(shards[1]) in str(caught.value)
    assert not (tmp_path / "fake_latents.h5").exists()


@pytest.mark.parametrize(("at_once", "width"), [(1, 1), (4, 1), (9, 2), (512, 8)])
def test_batches_are_sampled_together_and_kept_apart(at_once, width):
    """A GPU samples several at a time; each is still a part that an interrupted job has kept."""
    batches = batches_of(30, 4)
    blocks = blocks_of(batches, at_once)
    assert [part for block in blocks for part in block] == list(range(len(batches)))
    assert max(len(block) for block in blocks) == min(width, len(batches))
    assert blocks_of([], at_once) == []
