"""The shell of a report: one HTML page with its style inside, and the parts it is built from."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root{color-scheme:light;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;--paper:#fff;--back:#f4f6f8}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 12px}
h3{font-size:.95rem;margin:0 0 6px;overflow-wrap:anywhere}
figure>h3::first-letter{text-transform:uppercase}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;
padding:18px 20px;margin-top:18px}
.sub,.note{color:var(--soft);margin:0}
.note{font-size:.875rem;margin-top:10px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;
margin-top:18px}
.tile{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:12px 16px}
.tile b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums;line-height:1.3}
.tile span{color:var(--soft);font-size:.85rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:20px}
.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,280px),1fr))}
figure{margin:0;min-width:0}
.chart{width:100%;height:auto;display:block}
.chart text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
fill:var(--soft)}
.small .chart text{font-size:16px}
.chart .name{fill:var(--ink)}
.chart .middle{text-anchor:middle}
.chart .end{text-anchor:end}
.grid{stroke:#e8ecf0;stroke-width:1}
.axis{stroke:#8a94a3;stroke-width:1;fill:none}
.dots{stroke-width:5;stroke-linecap:round;opacity:.3}
.tips{opacity:.55}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;font-size:.85rem;color:var(--soft);
padding-left:10%}
.legend svg{vertical-align:-1px}
.drawings{display:flex;flex-wrap:wrap;gap:20px}
.drawings figure{width:min-content;min-width:min(100%,300px);max-width:100%}
.drawing,.scroll{overflow-x:auto;background:
linear-gradient(90deg,var(--paper) 60%,#fff0) left/32px 100% no-repeat local,
linear-gradient(270deg,var(--paper) 60%,#fff0) right/32px 100% no-repeat local,
linear-gradient(90deg,#1c243024,#1c243000) left/12px 100% no-repeat,
linear-gradient(270deg,#1c243024,#1c243000) right/12px 100% no-repeat}
.drawing{border:1px solid var(--line);border-radius:8px;padding:10px}
.drawing>svg{display:block;margin:0 auto}
.drawing>svg,.scroll>svg{mix-blend-mode:multiply}
pre{margin:0;font:13px/1.4 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre.wrap{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--back);border-radius:8px;
padding:10px 12px}
.note+.scroll{margin-top:16px}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;
white-space:nowrap}
th{color:var(--soft);font-weight:600}
td.number,th.number{text-align:right}
td.wide{white-space:normal;min-width:400px;overflow-wrap:anywhere}
summary{cursor:pointer;color:#0060a0}
details pre{margin-top:6px}
td pre{font-size:12px}
section>details+h3{margin-top:22px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:12px 0 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere;min-width:0}
@media(max-width:600px){main{padding:16px 10px 32px}section{padding:14px 12px}
.tiles{grid-template-columns:1fr 1fr}.legend{padding-left:0}.chart text{font-size:16px}
.drawing>svg{max-width:800px;height:auto}
dl{grid-template-columns:1fr}dd{margin-bottom:6px}}
@media print{body{background:#fff}.tile,figure,tr{break-inside:avoid}
.drawing,.scroll{background:none}.drawing>svg,.scroll>svg{max-width:100%;height:auto}}
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole HTML document; it loads nothing."""
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def section(title: str, *content: str) -> str:
    """A box with a heading."""
    return f"<section><h2>{escape(title)}</h2>{''.join(content)}</section>"


def note(text: str) -> str:
    """A remark in small print."""
    return f"<p class='note'>{escape(text)}</p>"


def tile(value: str, label: str) -> str:
    """One figure in large print."""
    return f"<div class='tile'><b>{escape(value)}</b><span>{escape(label)}</span></div>"


def pairs(items: Iterable[tuple[str, str]]) -> str:
    """Names and values."""
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in items)
    return f"<dl>{''.join(lines)}</dl>"


def details(summary: str, text: str) -> str:
    """Preformatted text that opens on a click."""
    return (
        f"<details><summary>{escape(summary)}</summary>"
        f"<div class='scroll'><pre>{escape(text)}</pre></div></details>"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], raw: Sequence[int] = ()) -> str:
    """A table that scrolls sideways where it does not fit.

    Args:
        heads: column names; those that start with ``#`` hold numbers (the sign is not shown).
        rows: texts.
        raw: columns whose texts are HTML already.
    """
    kinds = [" class='number'" if head.startswith("#") else "" for head in heads]
    top = "".join(
        f"<th{kind}>{escape(head.lstrip('#'))}</th>"
        for head, kind in zip(heads, kinds, strict=True)
    )
    lines = (
        "<tr>"
        + "".join(
            f"<td class='wide'>{cell}</td>" if i in raw else f"<td{kinds[i]}>{escape(cell)}</td>"
            for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<div class='scroll'><table><tr>{top}</tr>{''.join(lines)}</table></div>"
