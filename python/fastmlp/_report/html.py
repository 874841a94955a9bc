"""Pieces of HTML. All text passes through `escape`; what is HTML already is of the type `Html`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import NewType

import numpy as np

from fastmlp._base.text import printable

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


def warning(text: object) -> Html:
    """Make a paragraph that stands out."""
    return Html(f'<p class="warning">{escape(text)}</p>')


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


def picture(svg: Html, alt: str, caption: str) -> Html:
    """Make a still picture with its text for those who do not see it."""
    return _figure(Html(f'<div role="img" aria-label="{escape(alt)}">{svg}</div>'), caption)


def interactive(figure: str, alt: str, caption: str) -> Html:
    """Make the place of a plotly figure, given as JSON, which the page's script draws."""
    data = figure.replace("<", "\\u003c")  # nothing in it can end the element
    place = f'<div class="figure" role="img" aria-label="{escape(alt)}"></div>'
    without = "<noscript><p>The figure needs JavaScript.</p></noscript>"
    return _figure(Html(f'{place}\n<script type="application/json">{data}</script>{without}'), caption)


def _figure(content: Html, caption: str) -> Html:
    return Html(f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>")
