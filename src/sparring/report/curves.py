"""Training histories and judged figures as charts."""

from pathlib import Path

from ..artefacts.histories import Row, read_history, term_and_split
from ..balance import DIFFUSION_HISTORY, DISCRIMINATOR_HISTORY, FOOLED, WANTED
from .charts import Chart, Line, Point, line_of, wants_log
from .figures import Evaluation, Figure, Model

_SPLITS = {"train": "training", "val": "validation"}
_TITLES = {
    "accuracy": f"discriminator: accuracy ({WANTED[0]:g} to {WANTED[1]:g} on validation wanted)",
    "viability_score": f"viability score (above {FOOLED:g}: renew the fakes)",
    "loss": "loss",
    "psnr": "PSNR (dB)",
    "kernel": "kernel distance of samples to the validation split (chooses the epoch)",
}

Histories = dict[str, list[tuple[int, list[Row]]]]
"""By arm (or one name): iteration and rows."""
_Series = dict[tuple[str, str, int], list[tuple[float, float]]]
"""By split, arm and iteration: epochs and values."""


def discriminator_charts(histories: Histories) -> list[Chart]:
    """Loss and accuracy over all iterations, one after the other."""
    charts = _charts(histories, with_arms=False)
    return [_named(chart, f"discriminator: {chart.title}") for chart in charts.values()]


def denoiser_charts(histories: Histories) -> list[Chart]:
    """Every term of the denoiser's training; arms in one chart."""
    return list(_charts(histories, with_arms=len(histories) > 1).values())


def read_rounds(experiment: Path, arms: tuple[str, ...], iterations: int, name: str) -> Histories:
    """The histories of that name that are there, by arm."""
    found: Histories = {}
    for arm in arms:
        for n in range(iterations):
            path = experiment / arm / f"iteration_{n}" / name
            if path.is_file():
                found.setdefault(arm, []).append((n, read_history(path)))
    return found


def discriminator_histories(experiment: Path, iterations: int) -> Histories:
    """Those of the adversarial arm."""
    return read_rounds(experiment, ("adversarial",), iterations, DISCRIMINATOR_HISTORY)


def denoiser_histories(experiment: Path, arms: tuple[str, ...], iterations: int) -> Histories:
    """Those of all arms; of an experiment without arms its only one."""
    if arms:
        return read_rounds(experiment, arms, iterations, DIFFUSION_HISTORY)
    path = experiment / DIFFUSION_HISTORY
    return {"training": [(0, read_history(path))]} if path.is_file() else {}


def step_charts(histories: Histories) -> dict[str, Chart]:
    """Every term of every arm along the steps of all iterations, by term."""
    return _charts(histories, with_arms=True, along="step")


def figure_charts(evaluation: Evaluation) -> list[Chart]:
    """One chart per figure: the models from the start on, beside control and reals."""
    return [_figure_chart(evaluation, figure) for figure in evaluation.figures if figure.is_main]


def _charts(histories: Histories, with_arms: bool, along: str = "epoch") -> dict[str, Chart]:
    offsets = _offsets(histories, along)
    series: dict[str, _Series] = {}
    for arm, rounds in histories.items():
        for iteration, rows in rounds:
            for row in rows:
                x = offsets[iteration] + float(row.get(along) or 0)
                for column, value in row.items():
                    if column in ("epoch", "step", "learning_rate") or value is None:
                        continue
                    term, split = term_and_split(column)
                    lines = series.setdefault(term, {})
                    lines.setdefault((split or "", arm, iteration), []).append((x, float(value)))
    cuts = tuple(sorted(offsets.values()))[1:]
    return {
        term: _term_chart(term, lines, cuts, with_arms, along) for term, lines in series.items()
    }


def _term_chart(
    term: str, series: _Series, cuts: tuple[float, ...], with_arms: bool, along: str
) -> Chart:
    lines = []
    # Validation comes after training, so that it lies on top.
    for (split, arm, _), xy in sorted(series.items()):
        name = _SPLITS.get(split, split)
        look = split or "val"
        if with_arms:
            name, look = f"{arm}, {name}", f"{arm} {look}"
        lines.append(line_of(name, look, xy))
    values = [p.y for line in lines for p in line.points]
    return Chart(
        title=_TITLES.get(term, term.replace("_", " ")),
        lines=tuple(lines),
        band=WANTED if term == "accuracy" else None,
        cuts=cuts,
        x_name=along,
        logarithmic=term.endswith("loss") and wants_log(values),
    )


def _named(chart: Chart, title: str) -> Chart:
    title = chart.title if chart.title.startswith("discriminator") else title
    return Chart(**{**vars(chart), "title": title})


def _offsets(histories: Histories, along: str) -> dict[int, float]:
    """Where each iteration begins on the axis of epochs or steps; alike for all arms."""
    lengths: dict[int, int] = {}
    for rounds in histories.values():
        for iteration, rows in rounds:
            length = max((int(row.get(along) or 0) for row in rows), default=0)
            lengths[iteration] = max(lengths.get(iteration, 0), length)
    offsets, total = {}, 0.0
    for iteration in range(max(lengths, default=-1) + 1):
        offsets[iteration] = total
        total += lengths.get(iteration, 0)
    return offsets


def _figure_chart(evaluation: Evaluation, figure: Figure) -> Chart:
    start, reals, arms = evaluation.start, evaluation.reals, evaluation.arms
    shift = {arm: 0.08 * (n - (len(arms) - 1) / 2) for n, arm in enumerate(arms)}
    lines = [
        Line(m.arm, m.arm, (_point(0.2 + 0.1 * n, m, figure),))
        for n, m in enumerate(evaluation.baselines)
        if figure.key in m.values
    ]
    for arm in arms:
        # One line per training seed; all begin at the start that they share.
        for seed in dict.fromkeys(m.seed for m in evaluation.rows(arm)):
            runs = [m for m in evaluation.rows(arm) if m.seed == seed]
            places = [(0.0, start)] if start else []
            places += [(1.0 + (m.iteration or 0), m) for m in runs]
            known = [(x + shift[arm], m) for x, m in places if figure.key in m.values]
            lines.append(Line(arm, arm, tuple(_point(x, m, figure) for x, m in known)))
    if not arms and start and figure.key in start.values:
        lines.append(Line("start", "start", (_point(0.0, start, figure),)))
    iterations = sorted({m.iteration for m in evaluation.models if m.iteration is not None})
    names = [f"it. {n}" for n in iterations] or (["trained"] if arms else [])
    return Chart(
        title=figure.title,
        caption=_caption(figure),
        lines=tuple(lines),
        null=reals.values.get(figure.key) if reals else None,
        ticks=((0.0, "start"), *((1.0 + n, name) for n, name in enumerate(names))),
        markers=True,
    )


def _point(x: float, model: Model, figure: Figure) -> Point:
    value = model.values[figure.key]
    if not figure.has_interval:
        return Point(x, value.value)
    return Point(x, value.value, value.low, value.high)


def _caption(figure: Figure) -> str:
    direction = {
        "lower": "less is better",
        "higher": "more is better",
        "real": "nearer to reals is better",
        None: "",
    }[figure.better]
    return "; ".join(part for part in (figure.caption, direction) if part)
