"""Pieces of HTML. All text passes through `escape`; what is HTML already is of the type `Html`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import NewType

import numpy as np

from fastmlp._text import printable

Html = NewType("Html", str)


def escape(value: object) -> Html:
    """Return a value as HTML: None and NaN as nothing, control characters as escapes."""
    if value is None or value != value:
        return Html("")
    if isinstance(value, (float, np.floating)):
        value = f"{value:.6g}"
    return Html(html.escape(printable(value)))


def join(parts: Iterable[Html]) -> Html:
    """Put pieces one after the other."""
    return Html("\n".join(parts))


def section(title: str, *parts: Html) -> Html:
    """Make a section with a heading."""
    return join([Html(f"<section>\n<h2>{escape(title)}</h2>"), *parts, Html("</section>")])


def paragraph(text: object) -> Html:
    """Make a paragraph of text."""
    return Html(f"<p>{escape(text)}</p>")


def code(text: object) -> Html:
    """Make a block of code."""
    return Html(f"<pre><code>{escape(text)}</code></pre>")


def table(titles: Sequence[object], rows: Iterable[Sequence[object]], caption: str | None = None) -> Html:
    """Make a table; numbers stand at the right."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    named = "" if caption is None else f"<caption>{escape(caption)}</caption>"
    return Html(
        f'<div class="wide"><table>{named}\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(value: object) -> str:
    number = isinstance(value, (int, float, np.number))
    return f'<td class="number">{escape(value)}</td>' if number else f"<td>{escape(value)}</td>"


def shaded_matrix(labels: Sequence[object], counts: Sequence[Sequence[int]], caption: str) -> Html:
    """Make a table of counts whose cells are the darker, the larger their part of the row is."""
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
    body = []
    for label, row in zip(labels, counts, strict=True):
        total = max(sum(row), 1)
        cells = "".join(_shaded(count, count / total) for count in row)
        body.append(f'<tr><th scope="row">{escape(label)}</th>{cells}</tr>')
    return Html(
        f'<div class="wide"><table class="matrix"><caption>{escape(caption)}</caption>\n'
        f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{chr(10).join(body)}\n</tbody></table></div>"
    )


def _shaded(count: int, share: float) -> str:
    ink = "#fff" if share > 0.6 else "#111"
    style = f"background: rgba(31, 119, 180, {share:.3f}); color: {ink}"
    return f'<td class="number" style="{style}">{count}</td>'


def figure(svg: Html, alt: str, caption: str) -> Html:
    """Make a picture with its text for those who do not see it."""
    return Html(
        f'<figure><div role="img" aria-label="{escape(alt)}">{svg}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
