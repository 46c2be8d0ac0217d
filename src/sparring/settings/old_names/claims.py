"""What each value of an old file says: values for keys, or why it says nothing."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import values
from .leaves import Leaf
from .left_out import reason_to_leave_out
from .losses import LOSS, is_loss, terms_of, weights_of
from .table import Field, find_field, known_names

_ALSO = {"autoencoders.NAME.start_from": {"autoencoders.NAME.epochs": 0}}
_LOSS_PLACE = (-1, 0)  # what was summed into the loss counts before weights written elsewhere


@dataclass(frozen=True)
class Claim:
    """One leaf and what it says."""

    leaf: Leaf
    sets: dict[str, Any] = field(default_factory=dict)
    """Values by dotted key."""
    reason: str | None = None
    """Why it becomes nothing."""
    remark: str = ""
    """What it says where it sets no key."""
    loss: str | None = None
    """The kind of the loss that it belongs to."""
    place: tuple[int, int] = (0, 0)

    @property
    def order(self) -> tuple[int, tuple[int, int]]:
        """Less counts before more where two claims set one key."""
        return self.leaf.rank, self.place


@dataclass(frozen=True)
class _Part:
    leaf: Leaf
    name: str
    value: Any
    place: tuple[int, int]


def claims_of(leaves: Iterable[Leaf]) -> list[Claim]:
    """One claim per leaf; of a loss that is a list of names one per name."""
    leaves = list(leaves)
    claims: list[Claim] = []
    losses: list[Leaf] = []
    parts: dict[str, list[_Part]] = {}
    for leaf in leaves:
        if is_loss(leaf):
            losses.append(leaf)
        elif (found := find_field(leaf.name)) is None:
            claims.append(Claim(leaf, reason=_unknown(leaf)))
        elif leaf.value is None or leaf.value in ([], {}):
            claims.append(Claim(leaf, reason="empty: the default counts"))
        else:
            row, place = found
            try:
                value = row.value(leaf.value)
            except values.NotCarried as error:
                claims.append(Claim(leaf, reason=str(error)))
                continue
            if row.part is None:
                claims.append(_claim(leaf, row, value, place))
            else:
                parts.setdefault(row.new, []).append(_Part(leaf, row.part, value, place))
    for new, found_parts in parts.items():
        claims += _joined(new, found_parts)
    claims += _loss_claims(losses)
    positions = {leaf.old: position for position, leaf in enumerate(leaves)}
    return sorted(claims, key=lambda claim: positions[claim.leaf.old])


def _claim(leaf: Leaf, row: Field, value: Any, place: tuple[int, int]) -> Claim:
    sets = {row.new: value, **_ALSO.get(row.new, {})}
    return Claim(leaf, sets, place=place)


def _unknown(leaf: Leaf) -> str:
    reason = reason_to_leave_out(leaf.name)
    if reason is not None:
        return reason
    close = difflib.get_close_matches(leaf.name, known_names(), n=1, cutoff=0.8)
    return "not known" + (f"; did you mean {close[0]}?" if close else ": config/README.md lists "
                          "the keys there are")  # fmt: skip


def _joined(new: str, parts: list[_Part]) -> Iterator[Claim]:
    """The claims of the parts of one key, which all set the value that they make together."""
    chosen: dict[str, _Part] = {}
    for part in sorted(parts, key=lambda part: (part.leaf.rank, part.place)):
        chosen.setdefault(part.name, part)
    given = {name: part.value for name, part in chosen.items()}
    try:
        if new == "denoiser.preset":
            value: Any = values.preset(given)
        else:
            value = values.split(given)
    except values.NotCarried as error:
        yield from (Claim(part.leaf, reason=str(error)) for part in parts)
        return
    for part in parts:
        first = chosen[part.name]
        if part.value != first.value:
            yield Claim(part.leaf, reason=f"{first.leaf.old} says {first.value!r} and counts")
        else:
            yield Claim(part.leaf, {new: value}, place=part.place)


def _loss_claims(leaves: list[Leaf]) -> Iterator[Claim]:
    """Of several losses in one file, the most specific one counts."""
    lists: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        tail = len(leaf.name) - len(LOSS)
        lists.setdefault(leaf.old[: len(leaf.old) - tail], []).append(leaf)
    ordered = sorted(lists.items(), key=lambda item: item[1][0].rank)
    for _, members in ordered[:1]:
        for said in weights_of(terms_of(members)):
            remark = "" if said.weights else f"{said.kind} loss"
            yield Claim(
                said.leaf, said.weights, said.reason, remark, loss=said.kind, place=_LOSS_PLACE
            )
    for _, members in ordered[1:]:
        reason = f"{ordered[0][0]} is the loss that counts"
        yield from (Claim(leaf, reason=reason) for leaf in members)
