// Shows one panel at a time; draws the figures of a panel when it is first shown, since a hidden one has no size.
"use strict";

const PAPER = 660; // pixels a figure is wide on paper
const dark = matchMedia("(prefers-color-scheme: dark)");
const tabs = [...document.querySelectorAll('[role="tab"]')];
const panels = tabs.map((tab) => document.getElementById(tab.getAttribute("aria-controls")));

// Plotly's script is kept compressed; it is unpacked once, without a request.
async function unpack() {
  const packed = atob(document.getElementById("plotly").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

// The colours of text and axes are those of the page.
function colour(figure) {
  const style = getComputedStyle(document.documentElement);
  const [text, line] = ["--text", "--line"].map((name) => style.getPropertyValue(name).trim());
  const { layout } = figure;
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.font.color = text;
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))) {
    for (const part of ["gridcolor", "zerolinecolor", "linecolor"]) layout[name][part] = line;
  }
  for (const trace of figure.data) if (trace.type === "heatmap") trace.textfont = { color: text };
}

function draw(place, width) {
  if (place.data || !globalThis.Plotly) return;
  const figure = JSON.parse(place.nextElementSibling.textContent);
  if (width) figure.layout.width = width;
  colour(figure);
  Plotly.newPlot(place, figure.data, figure.layout, {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false, // the data stays in the page
    plotlyServerURL: "",
  }).then(follow);
}

function paint(place) {
  if (!place.data) return;
  colour(place);
  Plotly.react(place, place.data, place.layout);
}

function drawn(panel) {
  panel.querySelectorAll(".figure").forEach((place) => {
    if (place.data) Plotly.Plots.resize(place);
    else draw(place);
  });
}

function select(chosen) {
  tabs.forEach((tab, i) => {
    const shown = i === chosen;
    tab.setAttribute("aria-selected", String(shown));
    tab.tabIndex = shown ? 0 : -1;
    panels[i].hidden = !shown;
    if (shown) drawn(panels[i]);
  });
}

const selected = () => tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true");

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

// The threshold: confusion matrix, metrics and the points on the curves follow the slider.
const board = document.querySelector(".threshold");
const slider = board && board.querySelector("input");
const counts = board && JSON.parse(board.querySelector("script").textContent);

function follow() {
  if (!board) return;
  const at = Number(slider.value);
  const hits = counts.hits[at];
  const alarms = counts.alarms[at];
  const misses = counts.positive - hits;
  const rejections = counts.negative - alarms;
  const precision = hits + alarms ? hits / (hits + alarms) : 1;
  const recall = hits / Math.max(counts.positive, 1);
  const shown = {
    hits, alarms, misses, rejections,
    accuracy: (hits + rejections) / (counts.positive + counts.negative),
    precision,
    recall,
    F1: (2 * hits) / Math.max(2 * hits + alarms + misses, 1),
  };
  for (const cell of board.querySelectorAll("[data-cell]")) {
    const value = shown[cell.dataset.cell];
    cell.textContent = Number.isInteger(value) && cell.dataset.cell in { hits, alarms, misses, rejections }
      ? value.toLocaleString("en-US") : value.toFixed(3);
  }
  board.querySelector("output").textContent = (at / slider.max).toFixed(2);
  const points = {
    roc: [alarms / Math.max(counts.negative, 1), recall],
    "precision-recall": [recall, precision],
  };
  for (const place of document.querySelectorAll(".figure[data-follows]")) {
    if (!place.data) continue;
    const [x, y] = points[place.dataset.follows];
    Plotly.restyle(place, { x: [[x]], y: [[y]] }, [place.data.length - 1]);
  }
}

if (board) {
  slider.hidden = false;
  slider.addEventListener("input", follow);
}

unpack().then(
  () => drawn(panels[selected()]),
  () => {
    const place = document.getElementById("no-figures");
    place.textContent =
      "This browser cannot unpack the script that draws the figures; a newer one can. All tables are complete.";
    place.hidden = false;
  },
);

dark.addEventListener("change", () => document.querySelectorAll(".figure").forEach(paint));

// On paper all panels are shown, and figures are as wide as a page.
addEventListener("beforeprint", () => {
  panels.forEach((panel) => (panel.hidden = false));
  document.querySelectorAll(".figure").forEach((place) => {
    if (place.data) Plotly.relayout(place, { width: PAPER });
    else draw(place, PAPER);
  });
});
addEventListener("afterprint", () => {
  document.querySelectorAll(".figure").forEach((place) => {
    if (!place.data) return;
    delete place.layout.width;
    Plotly.react(place, place.data, { ...place.layout, autosize: true });
  });
  select(selected());
});
