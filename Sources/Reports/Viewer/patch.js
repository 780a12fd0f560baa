"use strict";
// Layers × tokens or heads: one selected cell, and what it does to the metric beside it.

const { metric, grids } = result;
const ends = [metric.value, metric.start ?? metric.value];
const base = result.direction === "noise" ? ends[0] : ends[1];
const state = { grid: 0, measure: "effect", row: 0, column: 0 };
const titles = {
  residual: "What enters a block", attention: "What attention adds",
  mlp: "What feed-forward networks add", head: "Heads\u2019 mixes of values",
};
let cells = [];
let chips = [];
let colors = [];
let largest = 1;

const decimals = (() => {
  const size = Math.max(...ends.map(Math.abs));
  return size > 0 ? Math.min(9, Math.max(3, 3 - Math.floor(Math.log10(size)))) : 3;
})();

function grid() { return grids[state.grid]; }
function isHeads() { return grid().unit === "head"; }
function rowCount() { return isHeads() ? (grid().metric.values[0] || []).length : grid().positions.length; }

function rowName(row) {
  return isHeads() ? "head " + row : tokenName(result.tokens[grid().positions[row]]);
}

function numbers(row, column) {
  const value = grid().metric.values[column][row];
  const effect = grid().effect ? grid().effect.values[column][row] : null;
  return { value, effect, change: value - base };
}

function shown(row, column) {
  const { effect, change } = numbers(row, column);
  return state.measure === "effect" ? effect : change;
}

// Gains one way, losses the other, through the colour of nothing.
function theme() {
  const names = ["loss4", "loss3", "loss2", "loss1", "zero", "gain1", "gain2", "gain3", "gain4"];
  const stops = names.map((name) => {
    const hex = color(name);
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
  colors = Array.from({ length: 201 }, (_, step) => {
    const at = (step / 200) * (stops.length - 1);
    const first = Math.min(stops.length - 2, Math.floor(at));
    const mix = stops[first].map((channel, index) =>
      Math.round(channel + (stops[first + 1][index] - channel) * (at - first)));
    return { css: `rgb(${mix.join(",")})`, light: mix[0] * 0.3 + mix[1] * 0.59 + mix[2] * 0.11 };
  });
}

function colorOf(value) {
  return colors[Math.round(100 + 100 * Math.max(-1, Math.min(1, value / largest)))];
}

function start() {
  showParameters();
  showTokens();
  showMetric();
  if (result.warnings.length) {
    byId("warnings").hidden = false;
    byId("warnings").append(...result.warnings.map((text) => element("p", {}, visible(text))));
  }
  if (!grids.length || !grids[0].layers.length) {
    byId("gridtitle").textContent = "Nothing was patched";
    return;
  }
  if (!grids.some((each) => each.effect)) state.measure = "change";
  radios("units", grids.map((each) => each.unit), "grid", grids.map((_, index) => index));
  byId("units").hidden = grids.length < 2;
  radios("measures", ["share", "change"], "measure", ["effect", "change"]);
  byId("measures").hidden = !grids.some((each) => each.effect);
  theme();
  showGrid();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme();
    paint();
  });
  new ResizeObserver(paintNumbers).observe(byId("grid"));
  listen();
}

function radios(host, names, field, values) {
  byId(host).append(...values.map((value, index) => {
    const input = element("input", { type: "radio", name: field, value: String(value),
      checked: state[field] === value });
    input.addEventListener("change", () => {
      state[field] = value;
      showGrid();
    });
    return element("label", {}, input, element("span", {}, names[index]));
  }));
}

function cycle(field, values) {
  state[field] = values[(values.indexOf(state[field]) + 1) % values.length];
  const input = document.querySelector(`input[name="${field}"][value="${state[field]}"]`);
  if (input) input.checked = true;
  showGrid();
}

function showParameters() {
  const { model, noise, passes } = result;
  const list = [
    ["model", visible(model.name), visible(model.name)],
    ["sha256", model.sha256.slice(0, 12), model.sha256],
    ["dtype", visible(`${model.dtype} on ${result.device}`)],
    ["method", noise ? "causal tracing" : "activation patching"],
    ["direction", noise ? "clean into noisy" : result.direction === "noise"
      ? "corrupted into clean" : "clean into corrupted"],
    noise ? ["noise", `${noise.scale} standard deviations, ${noise.samples} draws, seed ${noise.seed}`]
      : null,
    ["forward passes", fixed(passes.forward, 1, false)], ["version", visible(result.tool_version)],
  ];
  byId("parameters").append(...list.filter(Boolean).map(([name, value, title]) =>
    element("div", {}, element("dt", {}, name), element("dd", { title }, value))));
}

function chip(token, isChanged) {
  return element("span", { class: isChanged ? "changed" : null },
    token.bytes ? tokenName(token) : visible(token.text) || "\u2205");
}

// Both texts; marked is what differs, or what gets noise.
function showTokens() {
  const other = result.contrast ? result.contrast.tokens : null;
  const noisy = new Set(result.noise ? result.noise.positions : []);
  const changed = (position) => other
    ? other[position] && other[position].id !== result.tokens[position].id : noisy.has(position);
  chips = result.tokens.map((token, position) => chip(token, changed(position)));
  byId("tokens").append(...chips);
  if (!other) return;
  byId("contrast").hidden = false;
  byId("contrast").append(...other.map((token, position) => chip(token, changed(position))));
}

function showMetric() {
  const number = (value) => fixed(value, decimals, false);
  const parts = [metric.name + " of ", element("b", {}, tokenName(metric.token))];
  if (metric.versus) parts.push(" less that of ", element("b", {}, tokenName(metric.versus)));
  parts.push(` at position ${metric.position}: ${number(ends[0])} clean, ${number(ends[1])} corrupted`);
  byId("metric").append(...parts);
}

function showGrid() {
  const { layers } = grid();
  if (state.measure === "effect" && !grid().effect) state.measure = "change";
  const rows = rowCount();
  const together = grid().window > 1 ? `, ${grid().window} blocks at once` : "";
  byId("gridtitle").textContent = titles[grid().unit] + together;
  const step = layers.length > 40 ? 10 : layers.length > 16 ? 5 : 1;
  const head = element("tr", {}, element("th", {}), ...layers.map((layer, column) =>
    element("th", { scope: "col", "data-column": column },
      layer % step === 0 || layers.length < 6 ? String(layer) : "")));
  cells = Array.from({ length: rows }, (_, row) => layers.map((_, column) =>
    element("td", { "data-row": row, "data-column": column })));
  const body = cells.map((line, row) => element("tr", {},
    element("th", { scope: "row", title: rowName(row) }, rowName(row)), ...line));
  const label = Math.min(15, Math.max(5,
    ...Array.from({ length: rows }, (_, row) => Array.from(rowName(row)).length + 1)));
  const table = element("table", {},
    element("colgroup", {}, element("col", { style: { width: label * 0.52 + "rem" } }),
      ...layers.map(() => element("col", { class: "cells" }))),
    element("thead", {}, head), element("tbody", {}, ...body));
  table.style.minWidth = `calc(${label * 0.52}rem + ${layers.length * 12}px)`;
  byId("grid").replaceChildren(table);
  paint();
  const best = order()[0] || { row: 0, column: 0 };
  choose(Math.min(state.touched ? state.row : best.row, rows - 1),
    Math.min(state.touched ? state.column : best.column, layers.length - 1));
}

// All cells, the largest first.
function order() {
  const list = cells.flatMap((line, row) =>
    line.map((_, column) => ({ row, column, value: shown(row, column) })));
  return list.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

function paint() {
  const all = order();
  largest = all.length ? Math.abs(all[0].value) : 1;
  // A share has a scale of its own, unless something overshoots it.
  if (state.measure === "effect") largest = Math.max(1, largest);
  largest = largest || 1;
  for (const { row, column, value } of all) {
    const fill = colorOf(value);
    cells[row][column].style.background = fill.css;
    cells[row][column].style.color = fill.light > 128 ? "#1b1d21" : "#f4f4f1";
  }
  paintNumbers();
  drawScale();
}

// Numbers where cells are wide enough.
function paintNumbers() {
  const width = cells.length && cells[0].length ? cells[0][0].getBoundingClientRect().width : 0;
  const isWide = width >= 34;
  cells.forEach((line, row) => line.forEach((cell, column) => {
    const text = isWide ? fixed(shown(row, column), 2, false) : "";
    if (cell.textContent !== text) cell.textContent = text;
  }));
}

function drawScale() {
  const width = 240, height = 34, edge = 24;
  const canvas = byId("scale");
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const span = width - 2 * edge;
  for (let x = 0; x < span; x++) {
    pen.fillStyle = colors[Math.round((x / (span - 1)) * 200)].css;
    pen.fillRect(edge + x, 4, 1.5, 10);
  }
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  pen.fillStyle = color("quiet");
  pen.textAlign = "center";
  const digits = Math.max(0, Math.min(9, 2 - Math.floor(Math.log10(largest))));
  for (const share of [-1, -0.5, 0, 0.5, 1]) {
    const at = edge + (span * (share + 1)) / 2;
    pen.fillRect(Math.min(edge + span - 1, at), 15, 1, 3);
    pen.fillText(share === 0 ? "0" : fixed(share * largest, digits, true), at, 29);
  }
  canvas.setAttribute("aria-label", `Colour scale from ${fixed(-largest, digits, true)} to `
    + fixed(largest, digits, true));
}

function choose(row, column) {
  const old = cells[state.row] && cells[state.row][state.column];
  for (const node of document.querySelectorAll(".patchgrid .chosen, .tokens .chosen")) {
    node.classList.remove("chosen");
  }
  if (old) old.classList.remove("chosen");
  state.row = Math.max(0, Math.min(cells.length - 1, row));
  state.column = Math.max(0, Math.min(grid().layers.length - 1, column));
  const cell = cells[state.row][state.column];
  cell.classList.add("chosen");
  cell.parentElement.classList.add("chosen");
  if (!isHeads()) chips[grid().positions[state.row]].classList.add("chosen");
  showDetail();
}

function touch(row, column) {
  state.touched = true;
  choose(row, column);
  cells[state.row][state.column].scrollIntoView({ block: "nearest", inline: "nearest" });
}

function showDetail() {
  const { row, column } = state;
  const { value, effect, change } = numbers(row, column);
  const layer = grid().layers[column];
  const main = effect === null ? fixed(change, decimals, true) : fixed(effect, 3, true);
  const list = [
    [metric.name, fixed(value, decimals, false)], ["change", fixed(change, decimals, true)],
    ["clean", fixed(ends[0], decimals, false)], ["corrupted", fixed(ends[1], decimals, false)],
  ];
  const most = order().slice(0, 8).map((each) => {
    const button = element("button", { type: "button" },
      element("span", { class: "name" },
        `layer ${grid().layers[each.column]} \u00b7 ${rowName(each.row)}`),
      element("span", { class: "number" },
        fixed(each.value, state.measure === "effect" ? 3 : decimals, true)));
    button.addEventListener("click", () => touch(each.row, each.column));
    return element("li", {}, button);
  });
  const where = isHeads()
    ? ` at ${grid().positions.length} token${grid().positions.length === 1 ? "" : "s"}`
    : `, position ${grid().positions[row]}`;
  byId("detail").replaceChildren(
    element("h2", {}, `${rowName(row)}, layer ${layer}`),
    element("p", { class: "change " + ((effect ?? change) < 0 ? "loss" : "gain") }, main),
    element("p", { class: "run" }, (effect === null ? "of the metric" : "of the way to the clean value")
      + where),
    element("dl", {}, ...list.map(([name, text]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, text)))),
    element("h3", {}, "largest here"), element("ol", { class: "top" }, ...most));
  byId("live").textContent = `${rowName(row)}, layer ${layer}: ${main}`;
}

function listen() {
  byId("grid").addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-row]");
    if (cell) touch(Number(cell.dataset.row), Number(cell.dataset.column));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, button, #parameters")) return;
    const moves = {
      u: () => cycle("grid", grids.map((_, index) => index)),
      m: () => { if (grid().effect) cycle("measure", ["effect", "change"]); },
    };
    if (event.target.closest("#grid")) {
      moves.ArrowLeft = () => touch(state.row, state.column - 1);
      moves.ArrowRight = () => touch(state.row, state.column + 1);
      moves.ArrowUp = () => touch(state.row - 1, state.column);
      moves.ArrowDown = () => touch(state.row + 1, state.column);
      moves.Home = () => touch(state.row, 0);
      moves.End = () => touch(state.row, grid().layers.length - 1);
    }
    const move = moves[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!move) return;
    event.preventDefault();
    move();
  });
}

if (result.schema === "telescope/patch/1") start();
else {
  byId("tokens").textContent = "This page cannot show a result of schema "
    + visible(String(result.schema)) + ".";
}
