"""Training histories of a VQ-GAN: phase one, then both arms after it along the same steps."""

from collections.abc import Mapping
from dataclasses import replace

from ..artefacts.histories import Row
from .charts import Chart, wants_log
from .curves import Histories, step_charts
from .figures import Estimate

_SHARP = "above 1: noise or invented texture"
_SIGNAL = "share of places told right; near 0.5 no signal, above 0.95 its gradient means little"
# Heading: terms with their titles and captions. What is not listed comes under the first heading.
_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Reconstruction": {
        "psnr": ("PSNR (dB)", "on validation patches"),
        "gradient_energy_ratio": ("gradient ratio", _SHARP),
        "l1": ("L1", "mean absolute error; the window of HU is 2 wide"),
        "perceptual": ("perceptual loss", ""),
        "loss": ("loss", "all terms with their weights; more terms in the adversarial phase"),
    },
    "Codebook": {
        "perplexity": ("perplexity", "over all validation patches; a collapse shows here first"),
        "codes_used": ("codes used", "over all validation patches"),
        "dead_codes": ("dead codes", "used less than the threshold"),
        "commitment": ("commitment", "latents to their codes"),
    },
    "Discriminators": {
        "image_right": ("image discriminator: accuracy", _SIGNAL),
        "volume_right": ("volume discriminator: accuracy", _SIGNAL),
        "disc_loss": ("discriminators' loss", ""),
        "gen_loss": ("generator: adversarial loss", ""),
        "feature_matching": ("feature matching", ""),
        "image_disc": ("image discriminator: loss", ""),
        "image_gen": ("image discriminator: generator's loss", ""),
        "volume_disc": ("volume discriminator: loss", ""),
        "volume_gen": ("volume discriminator: generator's loss", ""),
    },
}
_LOGARITHMIC = ("gradient_energy_ratio", "l1", "commitment")
_ORIGINALS = Estimate(1.0, 1.0, 1.0)


def volume_charts(histories: Mapping[str, list[Row]]) -> dict[str, list[Chart]]:
    """Charts under their headings, from the rows of each phase that has a history."""
    rounds: Histories = {
        phase: [(0 if phase == "reconstruction" else 1, rows)] for phase, rows in histories.items()
    }
    charts = step_charts(rounds)
    places = [p.x for chart in charts.values() for line in chart.lines for p in line.points]
    last = max(places, default=0.0)
    listed = {term for terms in _GROUPS.values() for term in terms}
    found: dict[str, list[Chart]] = {}
    for heading, terms in _GROUPS.items():
        own = [_titled(charts[t], t, *terms[t], last) for t in terms if t in charts]
        if heading == "Reconstruction":
            own += [chart for term, chart in charts.items() if term not in listed]
        if own:
            found[heading] = own
    return found


def _titled(chart: Chart, term: str, title: str, caption: str, last: float) -> Chart:
    values = [point.y for line in chart.lines for point in line.points]
    return replace(
        chart,
        title=title,
        caption=caption,
        x_range=(0.0, last),
        null=_ORIGINALS if term == "gradient_energy_ratio" else None,
        null_name="originals",
        logarithmic=chart.logarithmic or (term in _LOGARITHMIC and wants_log(values)),
    )
