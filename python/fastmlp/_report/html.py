"""Pieces of HTML. All text passes through `escape`; what is HTML already is of the type `Html`."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any, NewType

import numpy as np

from fastmlp._base.text import printable
from fastmlp._report.numbers import Numeral, written

Html = NewType("Html", str)


class Picture(str):
    """HTML of a picture that stands in a cell of a table."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Return a value as HTML: numbers with three digits, None as nothing, control characters escaped."""
    return Html(html.escape(printable(written(value))))


def join(parts: Iterable[Html]) -> Html:
    """Put pieces one after the other."""
    return Html("\n".join(parts))


def tabs(panels: Sequence[tuple[str, Sequence[Html]]]) -> Html:
    """Make sections with a heading each, one of which is shown at a time where scripts run."""
    buttons = join(
        Html(f'<button role="tab" id="tab-{i}" aria-controls="panel-{i}">{escape(title)}</button>')
        for i, (title, _) in enumerate(panels)
    )
    sections = (
        join([
            Html(f'<section role="tabpanel" id="panel-{i}" aria-labelledby="tab-{i}" tabindex="0">'),
            Html(f"<h2>{escape(title)}</h2>"), *parts, Html("</section>"),
        ])
        for i, (title, parts) in enumerate(panels)
    )  # fmt: skip
    return join([Html('<div role="tablist" hidden>'), buttons, Html("</div>"), *sections])


def heading(text: object) -> Html:
    """Make a heading within a section."""
    return Html(f"<h3>{escape(text)}</h3>")


def paragraph(text: object) -> Html:
    """Make a paragraph of text."""
    return Html(f"<p>{escape(text)}</p>")


def note(text: object, kind: str = "warning") -> Html:
    """Make a paragraph that stands out: a "warning", or "good"."""
    return Html(f'<p class="note {kind}">{escape(text)}</p>')


def code(text: object) -> Html:
    """Make a block of code."""
    return Html(f"<pre><code>{escape(text)}</code></pre>")


def tile(name: object, value: object, below: object) -> Html:
    """Make one large number with its name, and what to compare it with."""
    return Html(
        f'<div class="tile"><span>{escape(name)}</span><strong>{escape(value)}</strong>'
        f"<span>{escape(below)}</span></div>"
    )


def row(parts: Iterable[Html], kind: str) -> Html:
    """Put "tiles" or "figures" beside each other, as many as there is room for."""
    return Html(f'<div class="{kind}">{join(parts)}</div>')


def sentences(items: Iterable[tuple[object, object]]) -> Html:
    """Make a list of names with a sentence on each."""
    return Html(f"<dl>{join(Html(f'<dt>{escape(n)}</dt><dd>{escape(t)}</dd>') for n, t in items)}</dl>")


def table(titles: Sequence[object], rows: Iterable[Sequence[object]], caption: str | None = None) -> Html:
    """Make a table; numbers stand at the right."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "\n".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    named = "" if caption is None else f"<caption>{escape(caption)}</caption>"
    return Html(
        f'<div class="wide"><table>{named}\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def cell(value: object, kind: str = "") -> str:
    """Make a cell of a table, which the page's script may find by its kind."""
    if isinstance(value, Picture):
        return f"<td>{value}</td>"
    number = isinstance(value, (int, float, np.number, Numeral)) and not isinstance(value, bool)
    style = ' class="number"' if number else ""
    named = f' data-cell="{kind}"' if kind else ""
    return f"<td{style}{named}>{escape(value)}</td>"


def still(svg: Html, alt: str, caption: str) -> Html:
    """Make a still picture with its text for those who do not see it."""
    return _figure(Html(f'<div class="still" role="img" aria-label="{escape(alt)}">{svg}</div>'), caption)


def image(png: bytes, alt: str) -> Picture:
    """Make an image that is part of the page."""
    data = b64encode(png).decode()
    return Picture(f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">')


def interactive(figure: str, alt: str, caption: str, follows: str | None = None) -> Html:
    """Make the place of a plotly figure, given as JSON, which the page's script draws.

    With `follows`, a point of the figure goes with the threshold: "roc" or "precision-recall".
    """
    mark = "" if follows is None else f' data-follows="{follows}"'
    place = f'<div class="figure"{mark} role="img" aria-label="{escape(alt)}"></div>'
    without = "<noscript><p>The figure needs JavaScript.</p></noscript>"
    return _figure(Html(f"{place}\n{values(figure)}{without}"), caption)


def values(json: str) -> Html:
    """Make an element of JSON for the page's script; nothing in it can end the element."""
    harmless = json.replace("<", "\\u003c")
    return Html(f'<script type="application/json">{harmless}</script>')


def _figure(content: Any, caption: str) -> Html:
    return Html(f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>")
