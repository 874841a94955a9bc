"""A report in Chromium: its script unpacks itself, figures answer the mouse, nothing of the data's is run."""

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
    """Open the report and wait until the script that draws figures is unpacked."""
    page.goto(Path("r.html").absolute().as_uri())
    page.wait_for_function("globalThis.Plotly !== undefined")


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


def test_a_search_shows_its_trials(run: Run, page: Page) -> None:
    run("search", "iris", "--trials", "16", "--epochs", "20", "--report", "r.html")
    open_report(page)
    assert titles(page)[:2] == ["Overview", "Search"]
    panel = show(page, "Search")
    assert "16 trials: 1 complete, 15 pruned" in panel.inner_text()
    assert panel.locator("tbody tr").count() == 16
    text = hover_text(page, panel, ".scatterlayer .point")
    assert "trial" in text
    assert "layers: " in text
    assert "importance" in panel.inner_text().lower()


def test_every_tab_shows_its_panel_alone(run: Run, page: Page) -> None:
    run("train", "iris", "--validation", "0.2", "--epochs", "40", "--report", "r.html")
    open_report(page)
    assert titles(page) == [
        "Overview", "Results", "Importance of columns", "Rows predicted worst", "Data", "Training", "Network",
        "Diagnostics", "Configuration",
    ]  # fmt: skip
    for title in [*titles(page), "Overview"]:
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
        ("ArrowRight", "Results"),
        ("ArrowLeft", "Overview"),
        ("ArrowLeft", "Configuration"),
        ("Home", "Overview"),
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
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.get_by_role("tabpanel").count() == 1
    panel = show(page, "Training")
    page.wait_for_timeout(300)
    outer, drawn = (panel.locator(name).first.bounding_box() for name in (".figure", ".main-svg"))
    assert outer is not None
    assert drawn is not None
    assert drawn["width"] == pytest.approx(outer["width"], abs=2)


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
        labels = [hostile, "plain", "third"]
        writer.writerows([i, i % 7, labels[i % 3]] for i in range(90))
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
    row = sorted([hostile, "plain", "third"]).index(hostile)
    assert hostile in hover_text(page, panel, ".plotly .nsewdrag", ((row + 0.5) / 3, (row + 0.5) / 3))
    assert hostile[:19] in show(page, "Network").locator("svg").text_content()


def write_two_classes(hostile: str = "yes") -> None:
    """Write a table of two classes that overlap."""
    rng = np.random.default_rng(0)
    with Path("t.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "kind", "y"])
        for x in rng.normal(size=200):
            writer.writerow([f"{x:.3f}", "u" if x > 0.3 else "v", hostile if x + rng.normal() > 0 else "no"])


def cells(page: Page) -> dict[str, float]:
    """The numbers that follow the threshold."""
    found = page.locator("[data-cell]").evaluate_all("all => all.map(c => [c.dataset.cell, c.textContent])")
    return {name: float(text.replace(",", "")) for name, text in found}


@pytest.mark.parametrize("hostile", ["yes", IMAGE])
def test_the_confusion_matrix_and_the_curves_follow_the_threshold(run: Run, page: Page, hostile: str) -> None:
    write_two_classes(hostile)
    assert (
        run("train", "t.csv", "--target", "y", "--test", "0.4", "--epochs", "20", "--report", "r.html")[0]
        == 0
    )
    open_report(page)
    panel = show(page, "Results")
    before = cells(page)
    total = before["hits"] + before["misses"] + before["alarms"] + before["rejections"]
    assert total == 80
    assert before["accuracy"] == pytest.approx((before["hits"] + before["rejections"]) / total, abs=5e-4)
    slider = panel.get_by_role("slider")
    slider.focus()
    for key, value in (("Home", 0.0), ("End", 1.0), ("ArrowLeft", 0.99)):
        page.keyboard.press(key)
        assert float(panel.locator("output").inner_text()) == value
    page.keyboard.press("Home")
    lowest = cells(page)
    assert (lowest["recall"], lowest["misses"], lowest["rejections"]) == (1, 0, 0)
    points = panel.locator(".figure[data-follows]").evaluate_all(
        "all => all.map(figure => [figure.data.at(-1).x[0], figure.data.at(-1).y[0]])"
    )
    share = lowest["hits"] / 80
    np.testing.assert_allclose(points, [[1, 1], [1, share]])
    assert page.evaluate("window.hacked") is None
    assert hostile in panel.inner_text()


def test_on_a_dark_page_text_and_axes_are_light(run: Run, page: Page) -> None:
    run("train", "iris", "--validation", "0.2", "--epochs", "4", "--report", "r.html")
    open_report(page)
    show(page, "Results")
    look = """() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
        document.querySelector('.figure')._fullLayout.font.color]"""
    page.emulate_media(color_scheme="light")
    light = page.evaluate(look)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    dark = page.evaluate(look)
    assert light == ["rgb(255, 255, 255)", "rgb(22, 25, 29)", "#16191d"]
    assert dark == ["rgb(20, 24, 28)", "rgb(228, 232, 236)", "#e4e8ec"]


def test_a_browser_that_cannot_unpack_the_figures_says_so(run: Run, page: Page) -> None:
    run("train", "iris", "--epochs", "2", "--report", "r.html")
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(Path("r.html").absolute().as_uri())
    page.get_by_text("cannot unpack the script that draws the figures").wait_for()
    panel = show(page, "Results")
    assert "accuracy" in panel.inner_text()


@pytest.mark.parametrize("width", [500, 1200])
def test_nothing_is_wider_than_the_window(run: Run, page: Page, width: int) -> None:
    write_two_classes("a label that is as long as a sentence, and goes on a little after that")
    run("train", "t.csv", "--target", "y", "--epochs", "4", "--report", "r.html")
    page.set_viewport_size({"width": width, "height": 800})
    open_report(page)
    for title in titles(page):
        show(page, title)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_rows_of_pixels_are_shown_as_images(run: Run, page: Page) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 40, (60, 8, 8))
    images[np.arange(60), 2 * labels] += 200  # a bright row of pixels tells the class
    names = ",".join(f"pixel{i}" for i in range(64))
    rows = "".join(
        ",".join(map(str, pixels.ravel())) + f",c{label}\n"
        for pixels, label in zip(images, labels, strict=True)
    )
    Path("t.csv").write_text(f"{names},y\n{rows}", encoding="utf-8")
    assert run("train", "t.csv", "--target", "y", "--epochs", "3", "--report", "r.html")[0] == 0
    open_report(page)
    for title, count, size in (("Data", 3, [8 * 9 - 1, 8]), ("Rows predicted worst", 10, [8, 8])):
        drawn = show(page, title).locator("img")
        assert drawn.count() == count
        sizes = drawn.evaluate_all("all => all.map(i => [i.naturalWidth, i.naturalHeight])")
        assert sizes == [size] * count
    assert "Importance of columns" not in titles(page)
