"""Every objective against controls where the truth is known: nine Gaussians in the plane.

`python bench/toy.py` (two minutes on one thread) trains a start that is too small for the mixture,
runs three rounds of every objective and of the controls, and prints exact divergences;
`--grid` (five minutes) runs the grid of toy_arms.py on one seed, `--seeds` (ten) its finalists on
three other seeds and in three regimes.

KL are exact up to the number of points (toy_density.py), p the mixture and q what the sampler
draws; JS is of histograms of 20,000 samples; `outside` is the share of samples where p is lower
than at 99.9 % of its own; `masses` is the total variation of the mode masses; `width` is
the standard deviation of samples within three of a mode over the mode's, .98 for exact samples.
"""

import argparse
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

import torch
from toy_arms import FINALISTS, GRID, RECOMMENDED, REGIMES, SEEDS
from toy_density import Ddim, Field, Mixture, Ruler
from toy_picture import draw
from toy_rounds import Model, Regime, Rounds, arithmetic

from sparring.artefacts.atomic import write_text
from sparring.diffusion.process import ForwardProcess
from sparring.models.denoiser import build_scheduler, forward_process
from sparring.settings.parts import NoiseScheduleSettings

HERE = Path(__file__).parent
FIGURES = {"kl_pq": "KL(p, q)", "kl_qp": "KL(q, p)", "js": "JS", "outside": "outside"}
FIGURES |= {"masses": "masses", "width": "width"}


def schedule(prediction: str) -> ForwardProcess:
    """The package's cosine schedule, 500 timesteps."""
    keys = {"schedule": "cosine", "num_timesteps": 500, "prediction": prediction}
    return forward_process(build_scheduler(NoiseScheduleSettings(**keys)))


class Toy:
    """Measures models of one mixture, prints a line per model."""

    def __init__(self, prediction: str = "v") -> None:
        self.process = schedule(prediction)
        self.mixture = Mixture.grid()
        self.ddim = Ddim(self.process)
        self.ruler = Ruler.make(self.mixture, self.ddim)

    def entered(self, regime: Regime, seed: int) -> tuple[Rounds, Model]:
        """Reals and a start trained on them."""
        reals = self.mixture.sample(regime.reals, torch.Generator().manual_seed(seed))
        rounds = Rounds(self.process, self.ddim, reals, seed)
        return rounds, rounds.pretrained(regime)

    def figures(self, field: Field) -> dict[str, float]:
        """All of them."""
        return self.ruler.exact(field) | self.ruler.quick(field)

    def null(self) -> dict[str, float]:
        """The figures of exact samples; JS of a finite sample is not 0."""
        samples = self.mixture.sample(len(self.ruler.noise), torch.Generator().manual_seed(8))
        return {"kl_pq": 0.0, "kl_qp": 0.0} | self.ruler.counted(samples)

    def references(self) -> Iterator[list[str]]:
        """Rows of exact samples and of the perfect denoiser: what no model can beat."""
        yield ["exact samples", "", "", *shown(self.null())]
        yield [
            "perfect denoiser",
            "",
            "",
            *shown(self.figures(self.mixture.denoiser(self.process))),
        ]


def shown(figures: dict[str, float]) -> list[str]:
    """Cells; KL with the standard errors of their points."""
    return [
        f"{figures[key]:.3f}"
        + (f" ± {figures[f'{key}_error']:.3f}" if f"{key}_error" in figures else "")
        for key in FIGURES
    ]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def said(row: list[str]) -> list[str]:
    """The row, printed: what runs for minutes should show that it does."""
    print(" | ".join(row), flush=True)
    return row


def check(toy: Toy, picture: Path) -> None:
    """One regime, one seed, the recommended settings: a table, and a picture."""
    rounds, start = toy.entered(REGIMES[0], 0)
    fields = {"start": start.field()}
    figures = {"start": toy.figures(start.field())}
    rows = [said(row) for row in toy.references()]
    rows.append(said(["start", "", "", *shown(figures["start"])]))
    for group, name in RECOMMENDED.items():
        model = rounds.run(start, GRID[group][name])
        fields[group], figures[group] = model.field(), toy.figures(model.field())
        cost = f"{arithmetic(start.denoiser, GRID[group][name]):.1f}"
        rows.append(said([group, name, cost, *shown(figures[group])]))
    draw(toy.ruler, fields, figures, picture)
    write("check", "", markdown(["", "setting", "arithmetic", *FIGURES.values()], rows))


def grid(toy: Toy) -> str:
    """All settings on one seed of the first regime."""
    rounds, start = toy.entered(REGIMES[0], 0)
    rows = [said(row) for row in toy.references()]
    rows.append(said(["start", "", "", *shown(toy.figures(start.field()))]))
    for group, settings in GRID.items():
        for name, setting in settings.items():
            figures = toy.figures(rounds.run(start, setting).field())
            cost = f"{arithmetic(start.denoiser, setting):.1f}"
            rows.append(said([group, name, cost, *shown(figures)]))
    table = markdown(["", "setting", "arithmetic", *FIGURES.values()], rows)
    return (
        f"{REGIMES[0].name.capitalize()}, one seed; ± is the standard error over the points, the "
        f"same for all rows, so that differences between rows are surer.\n\n{table}"
    )


def repeated(toy: Toy, regime: Regime) -> str:
    """Finalists minus the control of the same seed, mean and standard error over seeds."""
    found: dict[str, list[dict[str, float]]] = {}
    for seed in SEEDS:
        rounds, start = toy.entered(regime, seed)
        found.setdefault("start", []).append(toy.figures(start.field()))
        for group, name in FINALISTS.items():
            figures = toy.figures(rounds.run(start, GRID[group][name]).field())
            found.setdefault(group, []).append(figures)
            said([regime.name, str(seed), group, *shown(figures)])
    rows = []
    for group, runs in found.items():
        base = [dict.fromkeys(FIGURES, 0.0)] * len(runs) if group == "control" else found["control"]
        cells = []
        for key in FIGURES:
            differences = [a[key] - b[key] for a, b in zip(runs, base, strict=True)]
            error = stdev(differences) / len(differences) ** 0.5
            sign = "" if group == "control" else "+"
            cells.append(f"{mean(differences):{sign}.3f} ± {error:.3f}")
        rows.append([group, FINALISTS.get(group, ""), *cells])
    return markdown([regime.name, "setting", *FIGURES.values()], rows)


def seeds(toy: Toy) -> str:
    """The finalists in every regime."""
    tables = [repeated(toy, regime) for regime in REGIMES]
    return (
        f"Seeds {', '.join(map(str, SEEDS))}. Control: its figures; all others: minus the control "
        "of the same seed; ± is the standard error over seeds.\n\n" + "\n".join(tables)
    )


def write(name: str, option: str, body: str) -> None:
    """A file of bench/results."""
    minutes = time.process_time() / 60
    head = (
        f"# Every objective where the truth is known: {name}\n\n`python bench/toy.py{option}`, "
        f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, one "
        f"thread, {minutes:.0f} minutes of CPU. What the figures are: `bench/toy.py`.\n\n"
    )
    write_text(HERE / "results" / f"toy_{name}.md", head + body)


def main() -> None:
    """The check in two minutes, or the study."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grid", action="store_true", help="all settings, one seed")
    parser.add_argument("--seeds", action="store_true", help="finalists, three seeds and regimes")
    parser.add_argument("--prediction", choices=["v", "epsilon"], default="v")
    parser.add_argument("--picture", type=Path, default=HERE.parent / "docs/images/toy.png")
    args = parser.parse_args()
    torch.set_num_threads(1)
    toy = Toy(args.prediction)
    if args.grid:
        write("grid", " --grid", grid(toy))
    elif args.seeds:
        write("seeds", " --seeds", seeds(toy))
    else:
        check(toy, args.picture)


if __name__ == "__main__":
    main()
