"""Measured figures as Markdown: tables, where they come from, and what is claimed."""

from scripts.documents.results import Column, Results, Table


def table_text(results: Results, name: str) -> str:
    """A table with its title, and a line that says what its spreads are."""
    table = results.tables[name]
    lines = [f"**{table.title}**{_unit_text(table)}", ""]
    heads = [table.rows, *(_head(column) for column in table.columns)]
    lines += [_row(heads), "|---" * len(heads) + "|"]
    for row in results.rows(name):
        ids = [f"{name}/{row}/{column.name}" for column in table.columns]
        lines.append(_row([row, *(results.text(i) if i in results.figures else "" for i in ids)]))
    return "\n".join(lines)


def source_text(results: Results, name: str) -> str:
    """The commands that repeat a measurement, and what it depends on."""
    source = results.sources[name]
    lines = ["```bash", *source.commands, "```", ""] if source.commands else []
    facts = {
        "repeat": source.repeat,
        "data": source.data,
        "seeds": source.seeds,
        "machine": source.machine,
        "versions": source.versions,
        "recorded": source.recorded,
    }
    lines += [f"* {key}: {value}" for key, value in facts.items() if value]
    return "\n".join(lines)


def claims_text(results: Results) -> str:
    """The table of the first page: a line a claim."""
    lines = [_row(["claim", "measured", "data", "details"]), "|---|---|---|---|"]
    for claim in results.claims:
        table = results.tables[claim.figures[0][1].partition("/")[0]]
        unit = "%" if table.unit == "per cent" else ""
        measured = "; ".join(f"{name} {results.text(key)}{unit}" for name, key in claim.figures)
        data = results.sources[table.source].data.partition(";")[0].partition(":")[0]
        link = f"[more](results/{claim.page})"
        lines.append(_row([claim.claim, measured, data, link]))
    return "\n".join(lines)


def machines_text(results: Results) -> str:
    """The machines by their letters."""
    return "\n".join(f"* **{name}**: {text}" for name, text in results.machines.items())


def _head(column: Column) -> str:
    return f"{column.name}, {column.unit}" if column.unit else column.name


def _unit_text(table: Table) -> str:
    brackets = {"range": "in brackets the range", "interval": "in brackets the 95% interval"}
    spread = brackets.get(table.spread, f"± {table.spread}" if table.spread else "")
    told = ", ".join(filter(None, [table.unit, spread]))
    return f" ({told})" if told else ""


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
