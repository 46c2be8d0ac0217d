"""Random numbers without a state: every draw is keyed by what it is for.

A key is the experiment's seed and a path such as ("finetune_diffusion", iteration, epoch, sample).
The draw for one sample does not depend on the batch, the shard, the process or what was drawn
before, so an interrupted run resumes to the same bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

Key = int | str


def key_seed(seed: int, *key: Key) -> int:
    """A 63-bit seed from an experiment seed and a key."""
    text = "/".join(str(part) for part in (seed, *key))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *key: Key) -> torch.Generator:
    """A CPU generator for one key."""
    return torch.Generator().manual_seed(key_seed(seed, *key))


@contextmanager
def seeded_initialisation(seed: int, *key: Key) -> Iterator[None]:
    """Weights of models built inside follow from the key; torch's global state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(key_seed(seed, *key))
        yield


def numpy_generator(seed: int, *key: Key) -> np.random.Generator:
    """A NumPy generator for one key.

    Noise comes from here: torch's CPU generator keeps only 32 bits of its seed, so that among
    100,000 samples two would likely be equal.
    """
    return np.random.Generator(np.random.Philox(key_seed(seed, *key)))


def permutation(count: int, seed: int, *key: Key) -> Tensor:
    """A permutation of range(count), int64."""
    return torch.randperm(count, generator=generator(seed, *key))


def normals(
    shape: Sequence[int], samples: Iterable[int], seed: int, *key: Key, device: torch.device
) -> Tensor:
    """Standard normal noise `[B, *shape]`, row b keyed by the b-th sample number."""
    rows = [
        numpy_generator(seed, *key, n).standard_normal(tuple(shape), dtype=np.float32)
        for n in samples
    ]
    return torch.from_numpy(np.stack(rows)).to(device)


def chances(probability: float, samples: Iterable[int], seed: int, *key: Key) -> Tensor:
    """Bool `[B]`, True with this probability, row b keyed by the b-th sample number."""
    return torch.tensor([key_seed(seed, *key, n) < probability * 2**63 for n in samples])


def uniforms(samples: Iterable[int], seed: int, *key: Key, device: torch.device) -> Tensor:
    """Uniform numbers in [0, 1), float32 `[B]`, row b keyed by the b-th sample number."""
    rows = [(key_seed(seed, *key, n) >> 39) * 2.0**-24 for n in samples]
    return torch.tensor(rows, device=device, dtype=torch.float32)


def timesteps(
    num_timesteps: int, samples: Iterable[int], seed: int, *key: Key, device: torch.device
) -> Tensor:
    """Uniform timesteps in [0, num_timesteps), int64 `[B]`, row b keyed by the b-th sample."""
    rows = [key_seed(seed, *key, n) % num_timesteps for n in samples]
    return torch.tensor(rows, device=device)
