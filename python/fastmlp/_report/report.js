// Draws the figures while every panel is on the page, since a hidden one has no size; then shows one panel at a time.
"use strict";

for (const place of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(place.nextElementSibling.textContent);
  Plotly.newPlot(place, figure.data, figure.layout, {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false, // the data stays in the page
    plotlyServerURL: "",
  });
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
    const last = tabs.length - 1;
    const next = {
      ArrowRight: i === last ? 0 : i + 1,
      ArrowLeft: i === 0 ? last : i - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    tabs[next].focus();
    select(next);
  });
});
document.querySelector('[role="tablist"]').hidden = false;
select(0);

// On paper all panels are shown, and figures are as wide as a page.
addEventListener("beforeprint", () => {
  document.querySelectorAll(".figure").forEach((place) => Plotly.relayout(place, { width: 660 }));
});
addEventListener("afterprint", () => {
  document.querySelectorAll(".figure").forEach((place) => Plotly.relayout(place, { width: null, autosize: true }));
});
