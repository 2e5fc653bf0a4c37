"""The outcome of a ranking as a Markdown table and as JSON, with its evidence."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from agents.ranking.measure import BEST_OF, SIZE_ALONE, TOP, Measured, Row
from agents.ranking.statistics import Figure


def markdown(measured: Measured, said: Mapping[str, str] | None = None) -> str:
    """The table, as a page shows it.

    Args:
        measured: the figures.
        said: other words for recipes than those they were given in.
    """
    said = said or {}
    heads = [
        *("short recipe", "networks", "Spearman", "Kendall", "Pearson", "Spearman given log MACs"),
        *("Pearson given log MACs", "two seeds", f"best of {BEST_OF} in top {TOP}", "seconds"),
        "price",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in measured.rows:
        figures = [row.spearman, row.kendall, row.pearson, row.partial_spearman]
        cells = [row.name if row.name == SIZE_ALONE else said.get(row.name, f"`{row.name}`")]
        cells.append(f"{row.networks}")
        cells += [str(one) for one in (*figures, row.partial_pearson, Figure(row.between_seeds))]
        cells += [_word(row.hits, "{:.0%}"), _word(row.seconds, "{:.1f}")]
        cells.append(_word(row.price, "{:.2f}"))
        lines.append("| " + " | ".join(cells) + " |")
    fewest, most = measured.long_repeats
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    seconds = _word(measured.long_seconds, "{:.0f}")
    return "\n".join(
        [
            f"Against {said.get(measured.long_name, f'`{measured.long_name}`')}: "
            f"{measured.networks} random networks, the mean of "
            f"{seeds} training(s) of {seconds} processor seconds, between which the correlation is "
            f"{Figure(measured.long_between_seeds)}.",
            "",
            *lines,
            "",
            "Correlations of one short training with the long score, mean over seeds, with 95% "
            f"bootstrap intervals over networks. Best of {BEST_OF}: so many networks are drawn at "
            "a time; chance is 10%. Seconds: of one processor, for one training; price: as a "
            "multiple of the first recipe's, on the same networks.",
            "",
        ]
    )


def read(content: Mapping[str, Any]) -> Measured:
    """The figures that ``as_json`` wrote."""

    def known(value: float | None) -> float:
        return math.nan if value is None else value

    def row(found: Mapping[str, Any]) -> Row:
        values = {
            name: Figure(*(known(value[part]) for part in ("value", "low", "high")))
            if isinstance(value, Mapping)
            else known(value)
            for name, value in found.items()
            if name != "name"
        }
        return Row(name=found["name"], **values)  # type: ignore[arg-type]

    fewest, most = content["long_repeats"]
    return Measured(
        [row(found) for found in content["rows"]],
        content["long_name"],
        known(content["long_seconds"]),
        known(content["long_between_seeds"]),
        (fewest, most),
        content["networks"],
    )


def _word(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)


def as_json(measured: Measured, origin: Mapping[str, Any]) -> str:
    """Everything, for programs: figures that are not known are null."""
    content = {**origin, **_plain(asdict(measured))}
    return json.dumps(content, indent=1) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
