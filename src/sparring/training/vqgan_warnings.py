"""What is probably wrong with a VQ-GAN after its training, and the way out."""

from ..artefacts.histories import Row

_FEW_CODES = 0.1
_TOO_STRONG = 0.95


def vqgan_warnings(history: list[Row], num_codes: int) -> list[str]:
    """Warnings from the last row that was validated and the last that was trained."""
    last, found = history[-1], []
    perplexity = last.get("val_perplexity")
    if perplexity is not None and perplexity < _FEW_CODES * num_codes:
        found.append(
            f"perplexity is {perplexity:.0f} of {num_codes} codes: most of the codebook is not "
            "used; raise training.codebook.start_step or losses.commitment, train longer, or take "
            "fewer codes"
        )
    for name in ("image", "volume"):
        right = last.get(f"train_{name}_right")
        if right is not None and right > _TOO_STRONG:
            found.append(
                f"the {name} discriminator is right in {right:.0%} of places: its gradient may "
                "mean little; lower adversarial.learning_rate or adversarial.base_channels, or "
                f"raise adversarial.{name}_weight"
            )
    return found
