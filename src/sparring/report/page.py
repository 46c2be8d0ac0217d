"""The page itself: everything in one HTML file that asks the network for nothing."""

import base64
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from ..artefacts.plane_pictures import ERROR_HU
from ..artefacts.volumes import SHARED
from ..balance import WANTED
from .charts import svg
from .figures import Difference, number
from .shown import Shown
from .table import sweep_of
from .times import Spent, total
from .volume_table import volumes_file, volumes_of
from .volumes import BASELINES, FIGURES, VolumeFigure

_OPEN_UP_TO = 3  # experiments; of more, only the headings are open
_MOST_GRAPH_BYTES = 6_000_000


@dataclass(frozen=True)
class Graph:
    """The round graph as a picture, and how many jobs of each experiment would run again."""

    svg: str = ""
    stale: dict[str, int] | None = None
    problem: str = ""
    """Why there is none."""


def page_of(
    experiments: list[Shown], shared: list[Spent], graph: Graph, config: str, table_name: str
) -> str:
    """The HTML; `table_name` is the CSV that lies beside it."""
    template = _environment().get_template("report.html")
    every = [shown.total for shown in experiments]
    return template.render(
        experiments=experiments,
        requested=[shown for shown in experiments if shown.requested],
        config=config,
        table_name=table_name,
        sweep=sweep_of(experiments),
        volumes=volumes_of(experiments),
        volumes_name=volumes_file(Path(table_name)).name,
        of_layouts=any(shown.volumes is None for shown in experiments),
        of_volumes=any(shown.volumes is not None for shown in experiments),
        graph=graph,
        graph_uri=_graph_uri(graph),
        shared=shared,
        stages=_by_stage([*shared, *(row for shown in experiments for row in shown.times)]),
        everything=total("everything", [*shared, *every]),
        open_all=len(experiments) <= _OPEN_UP_TO,
        differences=differences_by_rival,
        style=Markup(_text("report.css")),
        script=Markup(_text("report.js")),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    environment.globals.update(
        svg=svg,
        number=number,
        decimals=_decimals,
        wanted=WANTED,
        volume_figures=FIGURES,
        baselines=BASELINES,
        not_by_patient=SHARED,
        error_hu=ERROR_HU,
    )
    return environment


def differences_by_rival(shown: Shown) -> dict[str, tuple[list[str], dict[str, dict]]]:
    """Against whom: models, and for every figure its differences by model."""
    found: dict[str, tuple[list[str], dict[str, dict[str, Difference]]]] = {}
    for difference in shown.comparisons.differences if shown.comparisons else ():
        models, figures = found.setdefault(difference.against, ([], {}))
        if difference.model not in models:
            models.append(difference.model)
        figures.setdefault(difference.figure, {})[difference.model] = difference
    return found


def _by_stage(rows: list[Spent]) -> list[Spent]:
    names = dict.fromkeys(row.stage for row in rows)
    return [total(name, [row for row in rows if row.stage == name]) for name in names]


def _breakable(name: str) -> Markup:
    """Model names may be broken after a slash."""
    return escape(name).replace("/", Markup("/<wbr>"))


def _decimals(value: float, figure: VolumeFigure) -> str:
    """As many decimals in every row of a column, so that they can be compared down it."""
    return f"{value:.{figure.decimals}f}".replace("-", "−")


def _graph_uri(graph: Graph) -> str:
    content = graph.svg.encode()
    if not content or len(content) > _MOST_GRAPH_BYTES:
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"


def _text(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
