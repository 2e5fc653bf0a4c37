"""The measured figures of docs/results/results.json, each with where it comes from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_env.errors import ConfigurationError

FILE = Path(__file__).resolve().parents[2] / "docs" / "results" / "results.json"


@dataclass(frozen=True)
class Source:
    """How figures were measured.

    Attributes:
        machine: its letter, and what else matters of it.
        versions: of Python and torch.
        seeds: which, and of what.
        data: what was trained on.
        recorded: day on which the figures came into the repository.
        commands: they repeat the measurement.
        repeat: why there is no command, or what the command does not say.
    """

    machine: str
    versions: str
    seeds: str
    data: str
    recorded: str
    commands: tuple[str, ...] = ()
    repeat: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its head, and the last part of its figures' ids.
        decimals: digits after the point.
        unit: where it differs from the table's.
    """

    name: str
    decimals: int
    unit: str = ""


@dataclass(frozen=True)
class Table:
    """Figures that stand together.

    Attributes:
        source: id of their source.
        title: what is shown.
        rows: head of the first column.
        columns: in order.
        unit: of every figure, unless its column says otherwise.
        spread: what follows the ± or stands in brackets.
    """

    source: str
    title: str
    rows: str
    columns: tuple[Column, ...]
    unit: str = ""
    spread: str = ""


@dataclass(frozen=True)
class Figure:
    """One measured figure: one value, or one for each seed.

    Attributes:
        value: mean, median or count.
        spread: its ±.
        low: start of its range.
        high: end of its range.
        values: one a seed, instead of ``value``.
        decimals: where it differs from its column's.
    """

    value: float | None = None
    spread: float | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = ()
    decimals: int | None = None

    def text(self, decimals: int) -> str:
        """As a table shows it: ``.92 ± .01``, ``1.2 (1.1-1.3)`` or ``16, 8, 4``."""
        digits = decimals if self.decimals is None else self.decimals
        if self.values:
            return ", ".join(f"{value:,.{digits}f}" for value in self.values)
        shown = f"{self.value:,.{digits}f}"
        if self.spread is not None:
            return f"{shown} ± {self.spread:,.{digits}f}"
        if self.low is not None:
            return f"{shown} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"
        return shown


@dataclass(frozen=True)
class Claim:
    """A line of the first page.

    Attributes:
        claim: what is claimed.
        figures: name and id of each figure that shows it.
        page: file in docs/results that says more.
    """

    claim: str
    figures: tuple[tuple[str, str], ...]
    page: str


@dataclass(frozen=True)
class Curve:
    """A line of a chart: a column of a table, or a row of one.

    Attributes:
        name: as the chart calls it.
        table: id of the table.
        column: the column, whose rows are then the points.
        row: the row, whose columns are then the points.
    """

    name: str
    table: str
    column: str = ""
    row: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture of figures.

    Attributes:
        title: what it shows.
        x_label: what is along it.
        y_label: what is up it.
        curves: its lines.
        log_x: logarithmic along it.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log_x: bool = False


@dataclass(frozen=True)
class Results:
    """Everything measured. A figure's id is ``TABLE/ROW/COLUMN``."""

    machines: Mapping[str, str]
    sources: Mapping[str, Source]
    tables: Mapping[str, Table]
    charts: Mapping[str, Chart]
    claims: tuple[Claim, ...]
    figures: Mapping[str, Figure]

    def rows(self, table: str) -> list[str]:
        """Rows of a table, in order."""
        parts = (name.split("/") for name in self.figures)
        return list(dict.fromkeys(row for owner, row, _ in parts if owner == table))

    def text(self, name: str) -> str:
        """A figure as its table shows it."""
        table, _, column = name.split("/")
        decimals = {one.name: one.decimals for one in self.tables[table].columns}
        return self.figures[name].text(decimals[column])


def load(path: Path = FILE) -> Results:
    """Read the results and check that everything named in them exists.

    Raises:
        ConfigurationError: a figure, table or source is named that is not there.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    results = Results(
        machines=data["machines"],
        sources={key: _source(value) for key, value in data["sources"].items()},
        tables={key: _table(value) for key, value in data["tables"].items()},
        charts={key: _chart(value) for key, value in data["charts"].items()},
        claims=tuple(_claim(value) for value in data["claims"]),
        figures={key: _figure(value) for key, value in data["figures"].items()},
    )
    if wrong := problems(results):
        raise ConfigurationError(f"{path}: {'; '.join(wrong[:5])}.")
    return results


def problems(results: Results) -> list[str]:
    """What is named and missing, or says nothing of where it comes from."""
    found = [
        f"table {name!r} has no source {table.source!r}"
        for name, table in results.tables.items()
        if table.source not in results.sources
    ]
    found += [
        f"source {name!r} has neither a command nor a word why"
        for name, source in results.sources.items()
        if not (source.commands or source.repeat)
    ]
    for name, figure in results.figures.items():
        table, _, column = name.split("/")
        known = results.tables.get(table)
        if known is None or column not in [one.name for one in known.columns]:
            found.append(f"figure {name!r} belongs to no column")
        if (figure.value is None) == (not figure.values):
            found.append(f"figure {name!r} must have either value or values")
    shown = [figure for claim in results.claims for _, figure in claim.figures]
    found += [f"a claim names {name!r}" for name in shown if name not in results.figures]
    curves = [curve for chart in results.charts.values() for curve in chart.curves]
    found += [f"a chart names table {c.table!r}" for c in curves if c.table not in results.tables]
    return found


def _source(value: Mapping[str, Any]) -> Source:
    return Source(**{**value, "commands": tuple(value.get("commands", ()))})


def _table(value: Mapping[str, Any]) -> Table:
    return Table(**{**value, "columns": tuple(Column(**one) for one in value["columns"])})


def _chart(value: Mapping[str, Any]) -> Chart:
    return Chart(**{**value, "curves": tuple(Curve(**one) for one in value["curves"])})


def _claim(value: Mapping[str, Any]) -> Claim:
    figures: Sequence[Sequence[str]] = value["figures"]
    return Claim(value["claim"], tuple((name, key) for name, key in figures), value["page"])


def _figure(value: Mapping[str, Any]) -> Figure:
    return Figure(**{**value, "values": tuple(value.get("values", ()))})
