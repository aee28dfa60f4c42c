"""The HTML of a report: one file without anything from elsewhere, for the screen and for paper."""

import html
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

STYLE = """
:root{--ink:#1c2530;--quiet:#566170;--line:#d9dee5;--soft:#f4f6f8}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1060px;padding:32px 24px 80px;color:var(--ink);background:#fff;
font:16px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:30px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:22px;margin:44px 0 10px;border-bottom:1px solid var(--line);padding-bottom:6px}
h3{font-size:17px;margin:26px 0 6px;overflow-wrap:anywhere}
p,li{max-width:76ch;overflow-wrap:anywhere}
.quiet{color:var(--quiet)} .genes{font-style:italic}
nav ul{columns:2;padding-left:20px} a{color:#0b5cad}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;margin:10px 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top;max-width:46ch;
overflow-wrap:break-word} th{color:var(--quiet);font-weight:600}
td.number,th.number{text-align:right}
pre{background:var(--soft);padding:12px;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere;font-size:13px}
figure{margin:12px 0 20px} figcaption{color:var(--quiet);font-size:14px;max-width:80ch}
.figure{overflow-x:auto;overflow-y:hidden}
.program{display:grid;grid-template-columns:minmax(0,1fr) 480px;gap:24px}.program figure{margin-top:0}
@media (max-width:900px){.program{display:block}}
@media print{body{padding:0;max-width:none;font-size:11pt}h2{break-after:avoid}h3,figure,tr{break-inside:avoid}
nav{display:none}.modebar{display:none!important}}
"""
# Nothing is fetched from anywhere, whatever stands in the names of a data set.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
DRAW = """
for (const place of document.querySelectorAll("[data-figure]")) {
  const drawn = JSON.parse(document.getElementById(place.dataset.figure).textContent);
  Plotly.newPlot(place, drawn.data, drawn.layout, {displaylogo: false, responsive: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d"], toImageButtonOptions: {format: "svg"}});
}
"""


class Section(NamedTuple):
    """A part of the report under a heading; body: HTML."""

    title: str
    body: str


def text(value: object, *, longest: int = 2_000) -> str:
    """Anything as HTML text; what is longer ends in dots."""
    words = str(value)
    return html.escape(words if len(words) <= longest else f"{words[: longest - 1]}…")


def paragraph(words: str, *, quiet: bool = False) -> str:
    """Plain words as a paragraph; "" for none."""
    return f"<p{' class=quiet' if quiet else ''}>{text(words)}</p>" if words else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[str] = ()) -> str:
    """Plain values as a table; numbers: columns to align on the right. "" without rows."""
    kinds = [' class="number"' if name in numbers else "" for name in columns]
    head = "".join(f"<th{kind}>{text(name)}</th>" for name, kind in zip(columns, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{text(value)}</td>' for value, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>' * bool(body)


def code(words: str) -> str:
    """A line for the command line."""
    return f"<pre>{text(words, longest=20_000)}</pre>"


def figure(drawn: go.Figure, caption: str, *, key: str, width: int = 900) -> str:
    """A figure of fixed width in px, with what it shows in words below; key: letters and digits, one a figure."""
    sized = go.Figure(drawn).update_layout(width=width, autosize=False, paper_bgcolor="#fff", plot_bgcolor="#fff")
    height = int(sized.layout.height or 450)
    content = str(sized.to_json()).replace("<", "\\u003c")  # no name can end the script
    return (
        f'<figure><div class="figure"><div data-figure="{key}" style="height:{height}px;width:{width}px"></div></div>'
        f'<script type="application/json" id="{key}">{content}</script>'
        f"<figcaption>{text(caption)}</figcaption></figure>"
    )


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole file. title: plain; lead: HTML below it."""
    shown = [section for section in sections if section.body]
    list_of = "".join(f'<li><a href="#s{n}">{text(s.title)}</a></li>' for n, s in enumerate(shown))
    body = "".join(f'<section><h2 id="s{n}">{text(s.title)}</h2>{s.body}</section>' for n, s in enumerate(shown))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{text(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{text(title)}</h1>{lead}<nav><ul>{list_of}</ul></nav>{body}"
        f"<noscript><p>The figures need JavaScript, which comes with this file.</p></noscript>"
        f"<script>{get_plotlyjs()}</script><script>{DRAW}</script></body></html>\n"
    )
