"""A report in Chromium: figures answer the mouse, tabs switch, and nothing of the data's is run."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCRIPT = "<script>window.hacked=1</script>"
IMAGE = '<img src=x onerror="window.hacked=1">'
WIDTH = 900

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An offline page on which any complaint, and any request beyond the file itself, fails the test."""
    context = browser.new_context(viewport={"width": WIDTH, "height": 800}, offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.on("request", lambda request: complaints.append(request.url))
    yield page
    context.close()
    assert [text for text in complaints if not text.startswith(("file:", "data:", "blob:"))] == []


def open_report(page: Page) -> None:
    page.goto(Path("r.html").absolute().as_uri())


def titles(page: Page) -> list[str]:
    return page.get_by_role("tab").all_inner_texts()


def show(page: Page, title: str) -> Any:
    page.get_by_role("tab", name=title, exact=True).click()
    return page.get_by_role("tabpanel", name=title, exact=True)


def hover_text(page: Page, panel: Any, selector: str, at: tuple[float, float] = (0.5, 0.5)) -> str:
    """Move the mouse over a part of a figure and return what pops up."""
    box = panel.locator(selector).first.bounding_box()
    page.mouse.move(box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"], steps=4)
    texts = panel.locator(".hoverlayer text")
    texts.first.wait_for(timeout=5000)
    return " ".join(texts.all_text_contents())


def test_every_tab_shows_its_panel_alone(run: Run, page: Page) -> None:
    run("train", "iris", "--validation", "0.2", "--epochs", "40", "--report", "r.html")
    open_report(page)
    assert titles(page) == [
        "Data", "Network", "Training", "Results", "Rows predicted worst", "Diagnostics", "Configuration",
    ]  # fmt: skip
    for title in [*titles(page), "Data"]:
        panel = show(page, title)
        assert page.get_by_role("tabpanel").count() == 1  # hidden ones have no role
        assert panel.is_visible()
        assert page.get_by_role("tab", selected=True).inner_text() == title
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


def test_arrow_keys_go_from_tab_to_tab(run: Run, page: Page) -> None:
    run("train", "iris", "--epochs", "2", "--report", "r.html")
    open_report(page)
    page.get_by_role("tab").first.focus()
    for key, title in (
        ("ArrowRight", "Network"),
        ("ArrowLeft", "Data"),
        ("ArrowLeft", "Configuration"),
        ("Home", "Data"),
        ("End", "Configuration"),
    ):
        page.keyboard.press(key)
        assert page.get_by_role("tab", selected=True).inner_text() == title
        assert page.get_by_role("tabpanel", name=title, exact=True).is_visible()


def test_figures_of_labels_answer_the_mouse(run: Run, page: Page) -> None:
    run("train", "iris", "--validation", "0.2", "--epochs", "40", "--report", "r.html")
    open_report(page)
    text = hover_text(page, show(page, "Training"), ".plotly .nsewdrag")
    assert "training" in text
    assert "validation" in text
    text = hover_text(page, show(page, "Results"), ".plotly .nsewdrag", (1 / 6, 1 / 6))
    assert "true setosa" in text
    assert "predicted setosa" in text
    assert "100.0% of the class" in text


def test_no_button_of_a_figure_sends_it_anywhere(run: Run, page: Page) -> None:
    run("train", "iris", "--epochs", "2", "--report", "r.html")
    open_report(page)
    panel = show(page, "Results")
    titles = panel.locator(".modebar-btn").evaluate_all("buttons => buttons.map(b => b.dataset.title)")
    assert any("Download plot" in title for title in titles)
    assert [title for title in titles if "share" in title.lower() or "cloud" in title.lower()] == []


def test_on_paper_all_panels_are_shown_and_figures_fit(run: Run, page: Page) -> None:
    run("train", "iris", "--validation", "0.2", "--epochs", "4", "--report", "r.html")
    open_report(page)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_timeout(300)
    assert all(section.is_visible() for section in page.locator("section").all())
    widths = [figure.bounding_box()["width"] for figure in page.locator(".main-svg").all()]  # type: ignore[index]
    assert max(widths) <= 680


def test_figures_follow_the_width_of_the_window(run: Run, page: Page) -> None:
    run("train", "iris", "--validation", "0.2", "--epochs", "4", "--report", "r.html")
    open_report(page)
    for width in (1100, 600):
        page.set_viewport_size({"width": width, "height": 800})
        for title in ("Training", "Results"):
            panel = show(page, title)
            page.wait_for_timeout(300)
            outer, drawn = (panel.locator(name).first.bounding_box() for name in (".figure", ".main-svg"))
            assert outer is not None
            assert drawn is not None
            assert drawn["width"] == pytest.approx(outer["width"], abs=2)


def test_residuals_show_the_values_under_the_mouse(run: Run, page: Page) -> None:
    x = np.linspace(-1, 1, 60)
    Path("t.csv").write_text("x,y\n" + "".join(f"{a},{3 * a}\n" for a in x), encoding="utf-8")
    run("train", "t.csv", "--target", "y", "--validation", "0.5", "--epochs", "30", "--report", "r.html")
    open_report(page)
    panel = show(page, "Results")
    text = hover_text(page, panel, ".scatterlayer .point")
    assert "true " in text
    assert "predicted " in text


@pytest.mark.parametrize(
    "hostile", [SCRIPT, IMAGE, "<b>bold</b>", "&lt;b&gt;", "$x^2$", "`${1}`", "</script>"]
)
def test_text_of_the_data_is_text_everywhere(run: Run, page: Page, hostile: str) -> None:
    with Path("t.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow([hostile, "other", f"{hostile} too"])
        writer.writerows([i, i % 3, hostile if i % 2 else "plain"] for i in range(60))
    status, _, err = run(
        "train", "t.csv", "--target", "2", "--epochs", "2", "--test", "0.5", "--report", "r.html"
    )
    assert (status, err) == (0, "")
    open_report(page)
    for title in titles(page):
        show(page, title)
    assert page.evaluate("window.hacked") is None
    assert hostile in show(page, "Data").inner_text()
    panel = show(page, "Results")
    shortened = hostile if len(hostile) <= 24 else hostile[:23] + "…"
    assert shortened in panel.locator(".ytick").all_text_contents()
    assert hostile in hover_text(page, panel, ".plotly .nsewdrag", (0.25, 0.25))
    assert hostile[:19] in show(page, "Network").locator("svg").text_content()
