"""How a dataset without a `split` column is cut."""

from pydantic import Field, model_validator

from .base import Settings


class SplitFractions(Settings):
    """Shares of the groups, used when the manifest has no `split` column."""

    train: float = Field(0.8, gt=0, lt=1)
    """Share of groups that train."""
    val: float = Field(0.1, gt=0, lt=1)
    """Share of groups that choose the best model."""
    test: float = Field(0.1, gt=0, lt=1)
    """Share of groups that judges models; nothing is trained on it."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> "SplitFractions":
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + val + test is {total:g}, expected 1")
        return self
