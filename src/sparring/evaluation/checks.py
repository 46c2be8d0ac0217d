"""What makes an evaluation meaningless is refused: reals trained on, other scales, rounding."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import UserError
from .judges import LinearJudge
from .statistics import Parts
from .two_sample import Rows, judge_seeds, own_auc

Array = np.ndarray
_MOST_DUPLICATES = 0.01  # of the held-out reals; some layouts are simply alike
_SCALE = 1.5
_PASSABLE = 0.8  # AUC: a judge may tell them apart, but has to look
_SEEN = 1000  # rows that a check looks at


def row_digests(latents: Array) -> list[bytes]:
    """One digest per row, of its values."""
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in latents]


def require_held_out(
    path: Path,
    held_out: Iterable[str],
    held_out_digests: list[bytes],
    train_path: Path,
    train: Iterable[str],
    train_digests: Iterable[bytes],
) -> None:
    """Refuse held-out reals that are, by name or by content, among those that are trained on."""
    shared = sorted(set(held_out) & set(train))
    if shared:
        raise UserError(
            f"{path}: {len(shared)} layouts, such as {shared[0]!r}, are also in {train_path}, so "
            "nothing here is held out; encode the splits again, or give latents of the test split"
        )
    groups: dict[bytes, set[str]] = {}
    for digest, name in zip(train_digests, train, strict=True):
        groups.setdefault(digest, set()).add(name)
    # What several training originals have alike, such as patches of nothing but air, is no leak.
    found = sum(len(groups.get(digest, ())) == 1 for digest in held_out_digests)
    if found > _MOST_DUPLICATES * len(held_out_digests):
        raise UserError(
            f"{path}: {found} of {len(held_out_digests)} latents are, value for value, also in "
            f"{train_path} under other names, expected at most {_MOST_DUPLICATES:.0%}; give equal "
            "layouts one group in the manifest, so that they share a split"
        )


def require_same_rounding(path: Path, samples: Array, held_out: Array) -> None:
    """Refuse samples (or reals) that alone were rounded to bfloat16: a cue for every judge.

    bfloat16 has seven bits of mantissa; of float16's ten the last three are then 0.
    """
    coarse = [_share_coarse(x[:_SEEN]) for x in (samples, held_out)]
    if abs(coarse[0] - coarse[1]) > 0.5:
        raise UserError(
            f"{path}: {coarse[0]:.0%} of its values are rounded to bfloat16, of held-out ones "
            f"{coarse[1]:.0%}; that alone tells them apart: sample and encode in float32"
        )


def require_same_scale(path: Path, samples: Array, held_out: Rows, seed: int) -> None:
    """Refuse samples that would pass for reals if only they were scaled as these are.

    A model may well make latents that are too wide; but then they do not become good by scaling.
    What does was written at another scale, and no figure says anything of the model.
    """
    spread = [_per_channel(x).std(1) for x in (samples[:_SEEN], held_out.latents[:_SEEN])]
    ratio = float(np.sqrt((spread[0] ** 2).mean() / (spread[1] ** 2).mean()))
    if 1 / _SCALE < ratio < _SCALE:
        return
    seen = rescaled(samples[:_SEEN], held_out.latents[:_SEEN])
    rows = Rows(seen, np.arange(len(seen)))
    parts = Parts.of(rows.groups, held_out.groups, seed)
    auc = own_auc(LinearJudge(), held_out, rows, parts, judge_seeds(seed, 2)).value
    if auc < _PASSABLE:
        raise UserError(
            f"{path}: latents are {ratio:.2g} times as wide as held-out ones, and scaled to their "
            f"width hard to tell from them (AUC {auc:.2f}): they were written at another scale; "
            "standardise both by the autoencoder's latents_mean and latents_std, once"
        )


def rescaled(samples: Array, reals: Array) -> Array:
    """Samples with the reals' mean and standard deviation per channel, `[N,C,...]` float32."""
    ours, theirs = _per_channel(samples), _per_channel(reals)
    shape = (1, -1, *([1] * (samples.ndim - 2)))
    mean, std = (f(1).reshape(shape) for f in (ours.mean, ours.std))
    wanted_mean, wanted_std = (f(1).reshape(shape) for f in (theirs.mean, theirs.std))
    scaled = (samples.astype(np.float32) - mean) / (std + 1e-6) * wanted_std + wanted_mean
    return scaled.astype(np.float32)


def _per_channel(latents: Array) -> Array:
    """float32 `[C, ...]`, all values of a channel in one row."""
    return np.moveaxis(latents.astype(np.float32), 1, 0).reshape(latents.shape[1], -1)


def _share_coarse(latents: Array) -> float:
    values = latents.astype(np.float16)
    values = values[values != 0]
    return float((values.view(np.uint16) & 0b111 == 0).mean()) if values.size else 0.0
