"""What came of an experiment on volumes, in sentences.

Adversarial training buys sharpness, not PSNR: each is said beside the other, and a gradient ratio
that is farther from 1 than the control's is said to be worse. Means have no intervals here, for
there are a handful of volumes: nothing is called better.
"""

from ..artefacts.volumes import NEW
from ..rounds.status import JobStatus
from .verdicts import Verdict, unfinished
from .volumes import VolumeRow, VolumeTable, group_name

_SIMPLE = "trilinear_equal_bits"
_ABOVE = "above 1 is noise or invented texture"


def volumes_verdict(jobs: list[JobStatus], table: VolumeTable | None) -> Verdict:
    """The verdict; before its end, how far the experiment is."""
    if table is None or table.last_phase is None:
        return unfinished(jobs)
    groups = sorted(table.groups, key=lambda group: group != NEW)
    if table.last_phase == "reconstruction":
        parts = [_alone(row) for row in (_row(table, "reconstruction", g) for g in groups) if row]
        first = _opened("Trained without discriminators", parts)
    else:
        first = _against(table, groups)
    sentences = [first, _beside_simple(table, groups)]
    return Verdict("trained", " ".join(f"{s}." for s in sentences if s))


def _against(table: VolumeTable, groups: list[str]) -> str:
    """The adversarial phase beside the control; without one, beside phase one."""
    for rival, opening in (
        ("control", "Against the control,"),
        ("reconstruction", "There is no control, so more training may have done part of it:"),
    ):
        parts = [
            _moved(before, after)
            for group in groups
            if (before := _row(table, rival, group))
            and (after := _row(table, "adversarial", group))
        ]
        if parts:
            return f"{opening} the adversarial phase moved the gradient ratio " + "; ".join(parts)
    parts = [_alone(row) for row in (_row(table, "adversarial", g) for g in groups) if row]
    return _opened("The adversarial phase has nothing to be compared with", parts)


def _opened(opening: str, parts: list[str]) -> str:
    return f"{opening}: {'; '.join(parts)}" if parts else opening


def _moved(before: VolumeRow, after: VolumeRow) -> str:
    """`from 0.72 to 1.05 (nearer to 1) at -0.8 dB PSNR on new patients`."""
    old, new = before.values["gradient_ratio"], after.values["gradient_ratio"]
    decibels = after.values["psnr"] - before.values["psnr"]
    return (
        f"from {old:.2f} to {new:.2f} ({_judged(old, new)}) at {_signed(decibels)} dB PSNR on "
        f"{group_name(after.group, after.volumes)}"
    )


def _judged(old: float, new: float) -> str:
    """Where a ratio stands against the rival's, at the two places that are printed."""
    before, after = (abs(round(ratio, 2) - 1) for ratio in (old, new))
    if abs(before - after) < 0.005:
        said = "as far from 1"
    elif after > before:
        said = "worse: farther from 1"
    else:
        said = "nearer to 1"
    return f"{said}; {_ABOVE}" if round(new, 2) > 1 else said


def _alone(row: VolumeRow) -> str:
    ratio, psnr = row.values["gradient_ratio"], row.values["psnr"]
    where = group_name(row.group, row.volumes)
    return f"gradient ratio {ratio:.2f} at {psnr:.1f} dB PSNR on {where}"


def _row(table: VolumeTable, model: str, group: str) -> VolumeRow | None:
    """A row that has both figures of the sentence."""
    row = table.at(model, group)
    return row if row is not None and {"psnr", "gradient_ratio"} <= set(row.values) else None


def _beside_simple(table: VolumeTable, groups: list[str]) -> str:
    """How far the phases' PSNR lies from what the same bits give without any training."""
    parts = []
    for group in groups:
        simple = _row(table, _SIMPLE, group)
        phases = [_row(table, name, group) for name in ("reconstruction", "adversarial")]
        gaps = [
            f"{row.model} {_gap(row.values['psnr'] - simple.values['psnr'])}"
            for row in phases
            if row is not None and simple is not None
        ]
        if gaps:
            parts.append(f"{' and '.join(gaps)} on {group}")
    if not parts:
        return ""
    return f"In PSNR, beside trilinear interpolation at equal bits: {'; '.join(parts)}"


def _gap(decibels: float) -> str:
    if abs(decibels) < 0.05:
        return "level with it"
    return f"{abs(decibels):.1f} dB {'above' if decibels > 0 else 'below'} it"


def _signed(decibels: float) -> str:
    shown = f"{decibels:+.1f}"
    return "±0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")
