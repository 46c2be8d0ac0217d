"""The page itself: everything in one HTML file that asks the network for nothing."""

import base64
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from ..balance import WANTED
from .charts import svg
from .experiments import Shown
from .figures import Difference, number
from .table import sweep_of
from .times import Spent, total

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
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = _breakable
    environment.globals.update(svg=svg, number=number, wanted=WANTED)
    template = environment.from_string(_text("report.html"))
    every = [shown.total for shown in experiments]
    return template.render(
        experiments=experiments,
        requested=[shown for shown in experiments if shown.requested],
        config=config,
        table_name=table_name,
        sweep=sweep_of(experiments),
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


def _graph_uri(graph: Graph) -> str:
    content = graph.svg.encode()
    if not content or len(content) > _MOST_GRAPH_BYTES:
        return ""
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"


def _text(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
