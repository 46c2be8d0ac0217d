"""What the page shows of an experiment."""

from dataclasses import dataclass, field

from ..balance import Balance
from ..rounds.status import JobStatus
from .charts import Chart
from .figures import Comparisons, Evaluation
from .images import Figure, Pictures
from .provenance import Provenance
from .times import Spent, total
from .verdicts import Verdict
from .volumes import VolumesShown


@dataclass(frozen=True)
class Shown:
    """One experiment on the page."""

    name: str
    kind: str
    requested: bool
    """Asked for; the others are what these start from."""
    verdict: Verdict
    varied: dict[str, str]
    """Values of the keys in which the members of its sweep differ."""
    times: list[Spent]
    provenance: Provenance
    counts: dict[str, int]
    """Jobs by state."""
    troubles: list[JobStatus]
    """Jobs that failed or died."""
    notes: list[str] = field(default_factory=list)
    """Files that are there but cannot be read."""
    volumes: VolumesShown | None = None
    """Of an experiment on volumes; the following are of the others."""
    evaluation: Evaluation | None = None
    comparisons: Comparisons | None = None
    pictures: Pictures | None = None
    grids: tuple[Figure, ...] = ()
    """Samples made while a denoiser was trained from scratch."""
    figure_charts: list[Chart] = field(default_factory=list)
    discriminator_charts: list[Chart] = field(default_factory=list)
    denoiser_charts: list[Chart] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)

    @property
    def warning(self) -> str:
        """What stands before every figure of the experiment."""
        return self.volumes.warning if self.volumes else ""

    @property
    def total(self) -> Spent:
        """The times of all stages."""
        return total(self.name, self.times)

    @property
    def judged_last(self) -> str | None:
        """The model that stands for the experiment in the sweep table."""
        if self.evaluation is None:
            return None
        selected = self.comparisons.selected if self.comparisons else None
        if selected and selected != "start":
            return selected
        # Repeats with other training seeds have names that begin with the seed.
        ended = [m for m in self.evaluation.models if m.name.startswith(("adversarial", "trained"))]
        return ended[-1].name if ended else "start"
