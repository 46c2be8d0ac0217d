"""`training.loss`, a composite list or one loss, into weights."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..semantic import SemanticLoss
from .leaves import Leaf

LOSS = "training.loss"
COMPOSITE, NOISE, ADVERSARIAL, SEMANTIC = "composite", "noise", "adversarial", "semantic"
SEGMENTATION, PERCEPTUAL, UNKNOWN = "segmentation", "perceptual", "unknown"

# Words in a loss's class name, in the order in which they are looked for.
_KINDS = {
    "discriminator": ADVERSARIAL, "adversarial": ADVERSARIAL, "gan": ADVERSARIAL,
    "semantic": SEMANTIC, "perceptual": PERCEPTUAL, "lpips": PERCEPTUAL, "vgg": PERCEPTUAL,
    "segmentation": SEGMENTATION, "crossentropy": SEGMENTATION, "composite": COMPOSITE,
    "combined": COMPOSITE,
}  # fmt: skip
_NOISE_LOSSES = ("mse", "l2", "noise", "noiseprediction")
_WEIGHTS = ("weight", "loss_weight", "lambda", "coef")
_PARTS = {
    "semantic.segmentation_weight": ("segmentation_weight", "seg_weight", "lambda_seg",
                                     "segmentation"),
    "semantic.perceptual_weight": ("perceptual_weight", "perc_weight", "lambda_perc",
                                   "perceptual"),
}  # fmt: skip
_WEIGHT_OF = {
    NOISE: "diffusion.noise_weight",
    ADVERSARIAL: "adversarial.weight",
    SEGMENTATION: "semantic.segmentation_weight",
    PERCEPTUAL: "semantic.perceptual_weight",
}
_PLACE = re.compile(
    r"^(?:\.(?:losses|components|terms))?(?:\[(?P<position>\d+)\])?\.?(?P<rest>.*)$"
)
_OF_ONE_LOSS = {"", "type", "key", "target", "reduction", "name", "params", *_WEIGHTS}


@dataclass
class Term:
    """One loss: the name of its class, and its leaves by the last part of their names."""

    name: str = ""
    fields: list[tuple[str, Leaf]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What it is here."""
        name = re.sub("[^a-z0-9]", "", self.name.lower())
        known = next((kind for word, kind in _KINDS.items() if word in name), None)
        if known is None and name.removesuffix("loss") in _NOISE_LOSSES:
            on = [str(leaf.value) for key, leaf in self.fields if key == "key"]
            known = NOISE if not on or "noise" in on[0] or on[0] in ("eps", "None") else None
        return known or UNKNOWN

    def value(self, names: tuple[str, ...], default: float) -> Any:
        """The first of its fields with one of these names."""
        return next((leaf.value for key, leaf in self.fields if key in names), default)


@dataclass(frozen=True)
class Spoken:
    """What one leaf of a loss says: weights by key, or the reason why it says nothing."""

    leaf: Leaf
    kind: str
    weights: dict[str, Any]
    reason: str | None = None


def is_loss(leaf: Leaf) -> bool:
    """Whether a leaf belongs to the loss."""
    return leaf.name == LOSS or leaf.name.startswith((f"{LOSS}.", f"{LOSS}["))


def terms_of(leaves: Iterable[Leaf]) -> list[Term]:
    """The losses that leaves of one list say.

    A list under `losses`, `components` or `terms`, a bare list, names only, one loss, or a mapping
    from names to weights or losses.
    """
    terms: dict[str, Term] = {}
    for leaf in leaves:
        tail = leaf.name.removeprefix(LOSS)
        match = _PLACE.match(tail)
        assert match is not None, leaf.name
        rest, place = match["rest"], tail[: match.start("rest")] if match["position"] else ""
        if not place and isinstance(leaf.value, list) and leaf.value:
            terms |= {f"{tail} {name}": Term(str(name), [("type", leaf)]) for name in leaf.value}
            continue
        key = rest.rpartition(".")[2] or ("type" if place or not tail else "losses")
        name = rest.partition(".")[0]
        if not place and name not in _OF_ONE_LOSS:
            place, key = f"by name {name}", "weight" if rest == name else key
            terms.setdefault(place, Term(name))
        term = terms.setdefault(place, Term())
        term.fields.append((key, leaf))
        if key == "type":
            term.name = str(leaf.value)
    return list(terms.values())


def weights_of(terms: list[Term]) -> Iterator[Spoken]:
    """Every leaf of some losses with the weights that it says."""
    kinds = {term.kind for term in terms}
    for term in terms:
        kind, own_weight = term.kind, term.value(_WEIGHTS, 1.0)
        for key, leaf in term.fields:
            if kind == UNKNOWN:
                reason = (
                    f"{term.name or 'this'} is no loss here; docs/rounds.md has those there are"
                )
                yield Spoken(leaf, kind, {}, reason)
            elif key == "type":
                yield Spoken(leaf, kind, _absent(kind, kinds))
            elif kind == SEMANTIC and (weights := _semantic(term, key, own_weight)):
                yield Spoken(leaf, kind, weights)
            elif kind in _WEIGHT_OF and key in _WEIGHTS:
                yield Spoken(leaf, kind, {_WEIGHT_OF[kind]: leaf.value})
            else:
                fixed = f"what the {kind} loss compares is fixed"
                reason = "nothing in it is a loss" if kind == COMPOSITE else fixed
                yield Spoken(leaf, kind, {}, reason)


def _absent(kind: str, kinds: set[str]) -> dict[str, Any]:
    """Of the two semantic losses, the one that a list does not name has no weight."""
    both = {SEGMENTATION, PERCEPTUAL}
    if kind not in both or SEMANTIC in kinds or both <= kinds:
        return {}
    (other,) = both - {kind}
    return {_WEIGHT_OF[other]: 0.0}


def _semantic(term: Term, key: str, own_weight: Any) -> dict[str, Any]:
    """A part's weight times the whole's; a part that is not given has its default."""
    weights = {}
    for new, names in _PARTS.items():
        if key in names or key in _WEIGHTS:
            default = SemanticLoss.model_fields[new.partition(".")[2]].default
            weights[new] = _product(own_weight, term.value(names, default))
    return weights


def _product(a: Any, b: Any) -> Any:
    """Rounded, so that 0.1 * 3 reads 0.3; what is no number stays, and is refused later."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return round(a * b, 9)
    return b if isinstance(a, int | float) else a
