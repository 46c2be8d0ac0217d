"""An old file and the flags of a call into an experiment and entries of config.yaml.

Every value of the file ends up in the account, either with the keys that it set or with the reason
why it set none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import ValidationError

from ...errors import UserError
from ..config import RESERVED_NAMES, Config
from ..experiment import ExperimentUnion
from ..reading import numbers, validate
from .assembly import (
    Asked,
    entries_of,
    experiment_of,
    require_what_is_needed,
    steps_at_most,
)
from .claims import Claim, claims_of
from .kinds import Kind, is_semantic, kind_of, refusal
from .leaves import Leaf, flag, leaves_of
from .table import FILE_NAME
from .values import identifier

_ASKED = -1  # the rank of what is asked for beside the old file


@dataclass(frozen=True)
class Account:
    """What became of one value."""

    leaf: Leaf
    sets: dict[str, Any]
    """Values by dotted key."""
    carried: bool
    remark: str = ""
    """Of a value that was not carried: the reason, and what to do instead. Of a carried one that
    set no key: what it said."""


@dataclass(frozen=True)
class Conversion:
    """An experiment, the entries of config.yaml that it needs, and the account."""

    name: str
    kind: Kind | Literal["vqgan"]
    because: str
    """Why the experiment is of its kind."""
    experiment: dict[str, Any]
    config: dict[str, dict[str, Any]]
    """`datasets` and `autoencoders`; empty where they are there already."""
    accounts: list[Account]
    schedule: dict[str, Any]
    """The old noise schedule, by the keys of noise_schedule."""

    def has(self, key: str) -> bool:
        """Whether the experiment sets a dotted key."""
        value: Any = self.experiment
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                return False
            value = value[part]
        return True

    def source_of(self, key: str) -> Leaf | None:
        """The old value that a dotted key was set from."""
        return next((a.leaf for a in self.accounts if key in a.sets), None)


def convert(data: dict[str, Any], flags: dict[str, Any], asked: Asked, source: str) -> Conversion:
    """Turn an old file's content into an experiment that validates.

    `flags` are those of a call of the old program, by name with dashes in front. Raises UserError
    if there is nothing to convert, if the dataset or the start is missing, or if a value is
    refused.
    """
    if not data:
        raise UserError(f"{source}: holds nothing, expected the configuration of a training")
    leaves = [flag(name, value) for name, value in flags.items()]
    claims = claims_of([*leaves, *leaves_of(numbers(data))]) + _asked_claims(asked)
    kind, because = kind_of(claims)
    if asked.kind is not None:
        kind, because = asked.kind, "it was asked for"
    accounts, settled = _settle(claims, lambda key: refusal(key, kind, asked.own_entries))
    require_what_is_needed(kind, settled, asked, source)
    schedule = _schedule(claims)
    settled |= steps_at_most(schedule.get("num_timesteps"), kind, settled)
    name = settled.pop(FILE_NAME, None) or identifier(PurePosixPath(source).stem)
    experiment = experiment_of(kind, settled, asked, is_semantic(claims))
    config = entries_of(settled, asked)
    validate_conversion(name, experiment, config, accounts, source)
    return Conversion(name, kind, because, experiment, config, accounts, schedule)


def _schedule(claims: list[Claim]) -> dict[str, Any]:
    """The noise schedule of an old file, though it may belong to the denoiser's start."""
    group = "noise_schedule."
    ordered = sorted(claims, key=lambda claim: claim.order, reverse=True)
    return {
        key.removeprefix(group): value
        for claim in ordered
        for key, value in claim.sets.items()
        if key.startswith(group)
    }


def _asked_claims(asked: Asked) -> list[Claim]:
    given = {
        "the name asked for": (FILE_NAME, asked.name),
        "--start-from": ("start_from", asked.start_from),
    }
    return [
        Claim(Leaf(option, option, value, _ASKED), {key: value})
        for option, (key, value) in given.items()
        if value is not None
    ]


def _settle(
    claims: list[Claim], refused: Callable[[str], str | None]
) -> tuple[list[Account], dict[str, Any]]:
    """Give each key the value of the claim that counts; account for all claims, in their order."""
    settled: dict[str, Claim] = {}
    accounts: dict[int, Account] = {}
    for number, claim in sorted(enumerate(claims), key=lambda item: item[1].order):
        sets = {key: value for key, value in claim.sets.items() if refused(key) is None}
        reason = claim.reason
        if reason is None and claim.sets and not sets:
            reason = refused(next(iter(claim.sets)))
        other = next((k for k in sets if k in settled and settled[k].sets[k] != sets[k]), None)
        if other is not None:
            reason = f"{settled[other].leaf.old} says {settled[other].sets[other]!r} and counts"
        if reason is not None:
            accounts[number] = Account(claim.leaf, {}, False, reason)
            continue
        settled |= {key: settled.get(key, claim) for key in sets}
        accounts[number] = Account(claim.leaf, sets, True, claim.remark)
    in_order = [accounts[number] for number in sorted(accounts)]
    values = {key: claim.sets[key] for key, claim in settled.items()}
    return [account for account in in_order if account.leaf.rank != _ASKED], values


def validate_conversion(
    name: str,
    experiment: dict[str, Any],
    config: dict[str, dict[str, Any]],
    accounts: Iterable[Account],
    source: str,
) -> None:
    """Refuse what the project's own models refuse, naming the old field where one is to blame."""
    if name in RESERVED_NAMES:
        raise UserError(f"{source}: {name!r} is a folder of results; give it another --name")
    try:
        validate(experiment, ExperimentUnion, f"{source}, converted")
        validate({"experiments": [name], **config}, Config, f"{source}, converted: config.yaml")
    except UserError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        place = "." + ".".join(str(part) for part in error.__cause__.errors()[0]["loc"])
        blamed = [
            account.leaf.old
            for account in accounts
            if any(place.endswith("." + key.rpartition("NAME.")[2]) for key in account.sets)
        ]
        if not blamed:
            raise
        raise UserError(f"{error}; it comes from {', '.join(blamed)}") from error
