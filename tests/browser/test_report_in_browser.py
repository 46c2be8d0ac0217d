"""The page in a real browser: no console errors, pictures load, links lead somewhere, tables sort.

A script appended to a copy of the page does what a reader does and says on the console what it saw.
"""

import headless
import made_results
import pytest

from sparring.report import collect, page_of
from sparring.report.page import Graph

pytestmark = pytest.mark.skipif(headless.BROWSER is None, reason="no Chromium on this machine")

WEIGHTS = [n / 100 for n in range(1, 21)]
SWEEP = {"kind": "sweep", "base": "micro", "vary": {"adversarial.weight": WEIGHTS}}
LOOK = """
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const shown = (e) => e.checkVisibility() && e.getBoundingClientRect().height > 0;
const rowsOf = (table) => [...table.tBodies[0].rows];
async function look() {
  const seen = { links: {}, sorted: {} };
  document.documentElement.style.scrollBehavior = "auto";
  seen.images = document.images.length;
  seen.broken = [...document.images].filter((i) => !i.naturalWidth).length;
  seen.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  for (const link of document.querySelectorAll("nav a, .verdicts a")) {
    link.click();
    await wait(30);
    const target = document.querySelector(location.hash);
    const closed = target.querySelector(":scope > details:not([open])");
    const box = target.getBoundingClientRect();
    const there = box.top < innerHeight && box.bottom > 0;
    seen.links[location.hash] = shown(target) && !closed && there;
  }
  seen.rows = {};
  for (const every of document.querySelectorAll("input[data-table]")) {
    const filtered = document.getElementById(every.dataset.table);
    const rows = () => rowsOf(filtered).filter(shown).length;
    const before = rows();
    every.click();
    seen.rows[filtered.id] = [before, rows()];
  }
  const table = document.getElementById("sweep") ?? document.getElementById("all-volumes");
  const last = table.tHead.rows[0].cells.length - 1;
  for (const order of ["ascending", "descending"]) {
    table.tHead.rows[0].cells[last].querySelector("button").click();
    seen.sorted[order] = rowsOf(table).map((row) => row.cells[last].dataset.v);
  }
  seen.alarms = [...document.querySelectorAll(".alarm")].filter(shown).length;
  seen.dark = getComputedStyle(document.body).backgroundColor;
  seen.width = innerWidth;
  return seen;
}
addEventListener("load", async () => {
  const seen = await look().catch(String);
  console.log("seen:" + encodeURIComponent(JSON.stringify(seen)));
});
"""
FRAME = """<!doctype html><meta charset="utf-8"><style>body{margin:0}iframe{border:0}</style>
<iframe src="page.html" width="%d" height="800"></iframe>"""


def visit(folder, page, width, *options):
    """What a reader with a window of that width sees, and the lines on the console."""
    script = f"<script>{LOOK}</script></body>"
    (folder / "page.html").write_text(page.replace("</body>", script), encoding="utf-8")
    # In a frame, for a browser's own window has a least width above that of a phone.
    (folder / "frame.html").write_text(FRAME % width, encoding="utf-8")
    seen, console = headless.opened(folder, (folder / "frame.html").as_uri(), *options)
    assert isinstance(seen, dict), seen  # else what went wrong in the looking
    return seen, console


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of one experiment with what it starts from, of a sweep of twenty, of volumes alone
    and of both."""
    pages = {"micro": ["micro"], "many": ["many"], "vol": ["vol"], "mixed": ["vol", "micro"]}
    return {name: made_page(tmp_path_factory, names) for name, names in pages.items()}


def made_page(tmp_path_factory, names):
    rounds = made_results.made_rounds(
        tmp_path_factory.mktemp("made"),
        {"experiments": names},
        made_results.PHANTOMS,
        many=SWEEP,
        vol=made_results.VQGAN,
    )
    made_results.make_results(rounds)
    experiments, shared = collect(rounds)
    graph = Graph('<svg xmlns="http://www.w3.org/2000/svg" width="3000" height="900"/>', {})
    return page_of(experiments, shared, graph, "config.yaml", "report.csv")


@pytest.mark.parametrize(("name", "experiments"), [("micro", 1), ("many", 20)])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_a_reader_finds_everything(pages, tmp_path, name, experiments, width):
    seen, console = visit(tmp_path, pages[name], width)
    assert console == []
    assert seen["width"] == width
    assert seen["images"] > 10 * experiments
    assert seen["broken"] == 0
    assert seen["wide"] <= 0, "the page is wider than the window"
    assert len(seen["links"]) > 5
    assert [link for link, arrived in seen["links"].items() if not arrived] == []
    assert seen["rows"] == {"sweep": [experiments, 8 * experiments]}
    assert seen["alarms"] == 0
    ascending = [float(value) for value in seen["sorted"]["ascending"]]
    assert ascending == sorted(ascending)
    assert [float(value) for value in seen["sorted"]["descending"]] == ascending[::-1]


@pytest.mark.parametrize("name", ["vol", "mixed"])
@pytest.mark.parametrize("width", [1280, 390], ids=["desktop", "phone"])
def test_volumes_are_found_too(pages, tmp_path, name, width):
    seen, console = visit(tmp_path, pages[name], width)
    assert console == []
    assert seen["broken"] == 0
    assert seen["wide"] <= 0, "the page is wider than the window"
    assert {"#volumes", "#e-vol"} <= set(seen["links"])
    assert [link for link, arrived in seen["links"].items() if not arrived] == []
    assert seen["rows"]["all-volumes"] == [2, 5 * 2]  # groups; models by groups
    assert seen["alarms"] == 2  # beside the verdict, and above the figures
    ascending = [float(value) for value in seen["sorted"]["ascending"]]
    assert ascending == sorted(ascending)


def test_the_page_follows_the_readers_choice_of_light_or_dark(pages, tmp_path):
    schemes = [f"--blink-settings=preferredColorScheme={n}" for n in (1, 0)]
    light, dark = (visit(tmp_path, pages["micro"], 1280, option)[0] for option in schemes)
    assert light["dark"] == "rgb(255, 255, 255)"
    assert dark["dark"] == "rgb(15, 20, 27)"


def test_errors_would_be_seen(pages, tmp_path):
    """The looking itself: a broken script and a foreign picture reach the console."""
    broken = pages["micro"].replace("</main>", '<img src="https://nowhere.invalid/a.png"></main>')
    broken = broken.replace("</main>", "</main><script>missing();</script>")
    seen, console = visit(tmp_path, broken, 1280)
    assert seen["broken"] == 1
    assert any("missing is not defined" in line for line in console)
    assert any("Content Security Policy" in line for line in console)
