// Draws the figures while every panel is on the page, since a hidden one has no size; then shows one panel at a time.
"use strict";

for (const place of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(place.nextElementSibling.textContent);
  Plotly.newPlot(place, figure.data, figure.layout, { responsive: true, displaylogo: false });
}

const tabs = [...document.querySelectorAll('[role="tab"]')];
const panels = tabs.map((tab) => document.getElementById(tab.getAttribute("aria-controls")));

function select(chosen) {
  tabs.forEach((tab, i) => {
    const shown = i === chosen;
    tab.setAttribute("aria-selected", String(shown));
    tab.tabIndex = shown ? 0 : -1;
    panels[i].hidden = !shown;
    if (shown) panels[i].querySelectorAll(".figure").forEach((place) => Plotly.Plots.resize(place));
  });
}

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => select(i));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (i + step + tabs.length) % tabs.length;
    tabs[next].focus();
    select(next);
  });
});
select(0);
