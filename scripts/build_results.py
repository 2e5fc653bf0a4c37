"""Write the tables and charts of the pages of results from docs/results.

Of results.json, and of the rankings beside it; from these also nas_env/envs/evidence.json.

``python scripts/build_results.py``

Run it after a change to these files or to a recipe; a test fails while a page or a chart is stale.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tyro

from agents.command import run_script
from nas_env.envs.evidence import FILE as EVIDENCE
from scripts.documents.charts import draw_chart
from scripts.documents.evidence import package_table, ranking_table
from scripts.documents.regions import refilled, write_changed
from scripts.documents.results import FILE, load
from scripts.documents.tables import claims_text, machines_text, source_text, table_text

FOLDER = FILE.parent


@dataclass(frozen=True)
class ResultsOptions:
    """Nothing to choose: every page and chart is written."""


def main() -> int:
    """Write every page and chart; what is there already and right is left alone."""
    tyro.cli(ResultsOptions, description=__doc__)
    for path, text in result_files().items():
        write_changed(path, text)
    return 0


def result_files() -> dict[Path, str]:
    """Every page, chart and table of the package as it should be."""
    results = load()
    makers = {
        "table": lambda name: table_text(results, name),
        "source": lambda name: source_text(results, name),
        "claims": lambda _: claims_text(results),
        "machines": lambda _: machines_text(results),
        "ranking": ranking_table,
    }
    pages = [FOLDER.parent / "results.md", *sorted(FOLDER.glob("*.md"))]
    files = {path: refilled(path.read_text(encoding="utf-8"), makers) for path in pages}
    charts = {FOLDER / f"{name}.svg": draw_chart(results, name).svg() for name in results.charts}
    return files | charts | {EVIDENCE: package_table()}


if __name__ == "__main__":
    run_script(main)
