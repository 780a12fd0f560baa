"use strict";
// One kind of unit, one layer and one token; every drawing follows.

const entries = result.scores;
const state = { entry: "0", order: "text", row: 0, position: 0, head: -1 };
const kinds = { token: "tokens", residual: "residual stream", attention: "attention", mlp: "MLP", head: "heads", neuron: "neurons" };
const grid = new ScoreGrid();
const entry = () => entries[Number(state.entry)];
const hasLayers = () => entry().array.axes[0] === "layer";
const isHeads = () => entry().array.axes[2] === "head";
const layersOf = (scores) => scores.layers || [];

// Layers × tokens of the scores shown; of heads, one head or the sum of all.
function rowsOf(scores) {
  const { axes, values } = scores.array;
  if (axes.length === 1) return [values];
  if (axes.length === 2) return values;
  return values.map((row) => row.map((heads) => state.head < 0
    ? heads.reduce((sum, value) => sum + value, 0) : heads[state.head] ?? 0));
}

function start() {
  document.body.classList.toggle("long", result.tokens.length > 60);
  showParameters();
  showMetric();
  showWarnings();
  showTokens();
  if (result.contrast) {
    byId("against").hidden = false;
    byId("against").textContent = "against \u201c" + visible(result.contrast.text) + "\u201d";
  }
  if (!entries.length) {
    byId("title").textContent = "No scores: nothing was asked for.";
    return;
  }
  if (entries.length > 1) {
    radios("entries", Object.fromEntries(entries.map((scores, index) => [index, kinds[scores.unit] || visible(scores.unit)])),
      "entry", showEntry);
  } else byId("entries").hidden = byId("entrykeys").hidden = true;
  radios("orders", { text: "in the text\u2019s order", size: "strongest first" }, "order", showBars);
  byId("head").addEventListener("change", () => {
    state.head = Number(byId("head").value);
    showEntry();
  });
  byId("numbers").addEventListener("toggle", showTable);
  chooseStrongest(rowsOf(entries[0]));
  showEntry();
  listen();
}

function chooseStrongest(rows) {
  let most = -1;
  rows.forEach((values, row) => values.forEach((value, position) => {
    if (Math.abs(value) <= most) return;
    most = Math.abs(value);
    Object.assign(state, { row, position });
  }));
}

function showEntry() {
  setRadio("entry");
  const scores = entry();
  const rows = rowsOf(scores);
  state.row = Math.max(0, Math.min(rows.length - 1, state.row));
  const isGrid = hasLayers();
  byId("bars").hidden = isGrid;
  byId("orders").hidden = isGrid || result.tokens.length < 3;
  byId("grid").hidden = byId("scale").hidden = !isGrid;
  byId("layerkeys").hidden = !isGrid;
  byId("headchoice").hidden = !isHeads();
  if (isHeads()) {
    const count = scores.array.values[0]?.[0]?.length ?? 0;
    byId("head").replaceChildren(element("option", { value: -1 }, "all, summed"),
      ...Array.from({ length: count }, (_, head) => element("option", { value: head }, String(head))));
    state.head = Math.min(state.head, count - 1);
    byId("head").value = state.head;
  }
  const name = kinds[scores.unit] || visible(scores.unit);
  byId("title").textContent = isGrid
    ? `Layer \u00d7 token, ${name}` + (scores.unit === "neuron" ? ", summed over a layer\u2019s" : "") : "Score of each token";
  if (isGrid) {
    grid.show(layersOf(scores).map((layer) => layer < 0 ? "emb" : String(layer)),
      result.tokens.map(tokenName), rows);
    grid.drawScale(byId("scale"));
  } else showBars();
  showTops();
  select();
}

function showBars() {
  const values = entry().array.values;
  const order = values.map((_, index) => index);
  if (state.order === "size") order.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  const low = Math.min(0, ...values), high = Math.max(0, ...values), decimals = decimalsOf(values);
  byId("bars").replaceChildren(...order.map((position) => element("div", { role: "option", "data-position": position,
    "aria-selected": position === state.position },
  element("span", { class: "place" }, String(position)), element("span", { class: "name" }, tokenName(result.tokens[position])),
  signedBar(values[position], low, high),
  element("span", { class: "number " + (values[position] < 0 ? "loss" : "gain") }, fixed(values[position], decimals, true)))));
}

function select() {
  const scores = entry(), rows = rowsOf(scores);
  state.position = Math.max(0, Math.min(result.tokens.length - 1, state.position));
  const values = rows[state.row] || [];
  shadeChips(values, state.position);
  if (hasLayers() && rows.length) grid.select(state.row, state.position);
  for (const node of byId("bars").children) {
    const isHere = Number(node.dataset.position) === state.position;
    node.setAttribute("aria-selected", isHere);
    if (isHere && !byId("bars").hidden && byId("bars").contains(document.activeElement)) node.scrollIntoView({ block: "nearest" });
  }
  showDetail(values);
  showSum();
  showTable();
  markTops();
}

function showDetail(values) {
  const scores = entry(), { position, row } = state;
  const decimals = decimalsOf(values), value = values[position] ?? 0;
  const size = values.reduce((sum, each) => sum + Math.abs(each), 0) || 1;
  const layer = layersOf(scores)[row];
  const list = [["share of all sizes", fixed(100 * Math.abs(value) / size, 1, false) + "%"],
    ["rank", `${1 + values.filter((each) => Math.abs(each) > Math.abs(value)).length} of ${values.length}`]];
  if (hasLayers()) {
    list.push([`sum of ${layerName(layer)}`, fixed(values.reduce((sum, each) => sum + each, 0), decimals, true)]);
  }
  const parts = [element("h2", {}, element("b", {}, placeName(position))),
    element("p", { class: "change " + (value < 0 ? "loss" : "gain") }, fixed(value, decimals, true)),
    element("p", { class: "run" }, hasLayers() ? `in ${layerName(layer)}, ${value < 0 ? "against" : "for"} the metric`
      : `${value < 0 ? "speaks against" : "supports"} the metric`),
    element("dl", {}, ...list.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text))))];
  const rows = rowsOf(scores);
  if (hasLayers() && rows.length > 1) {
    parts.push(element("h3", {}, "this token in every layer"),
      profileOf(rows.map((each) => each[position] ?? 0), row, grid.rows, (place) => {
        state.row = place;
        select();
      }));
  }
  const units = (scores.top || []).filter((unit) => unit.position === position && (!hasLayers() || unit.layer === layer));
  if (units.length) {
    parts.push(element("h3", {}, "strongest units here"), barList(units.map((unit) =>
      [unitName(scores.unit, unit.layer, unit.unit), unit.score]), decimalsOf(units.map((unit) => unit.score))));
  } else {
    const order = values.map((each, at) => [placeName(at), each, () => {
      state.position = at;
      select();
    }]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    if (hasLayers()) parts.push(element("h3", {}, "strongest tokens of this layer"), barList(order, decimals, { most: 8 }));
  }
  byId("detail").replaceChildren(...parts);
  byId("live").textContent = `${placeName(position)}${layer === undefined ? "" : ", " + layerName(layer)}: ${fixed(value, decimals, true)}`;
}

function showSum() {
  const scores = entry(), certificates = scores.certificates || [];
  const certificate = certificates[hasLayers() ? state.row : 0];
  const values = (rowsOf({ ...scores })[state.row] || []);
  const term = (value, name, kind) => element("span", { class: "term" + (kind || "") }, element("b", {}, value), element("small", {}, name));
  const sign = (text) => element("span", { class: "sign" }, text);
  const where = hasLayers() ? ` of ${layerName(layersOf(scores)[state.row])}` : "";
  if (!certificate) {
    const sum = values.reduce((total, value) => total + value, 0);
    byId("sum").replaceChildren(element("div", { class: "terms" }, term(fixed(sum, decimalsOf([sum]), true), `\u03a3 scores${where}`)),
      element("p", {}, scores.reason ? "No certificate: " + visible(scores.reason) : "The method promises no sum."));
    return;
  }
  const decimals = decimalsOf([certificate.sum, certificate.expected]);
  const terms = [term(fixed(certificate.sum, decimals, true), `\u03a3 scores${where}`)];
  const hasConstants = certificate.constants !== undefined;
  if (hasConstants) terms.push(sign("+"), term(fixed(certificate.constants, decimals, true), "constants"));
  terms.push(sign("\u2248"), term(fixed(certificate.expected, decimals, true), "what it must be"));
  const bad = certificate.residual > 0.01 * Math.max(Math.abs(certificate.expected), 1e-9);
  const second = [term(tiny(certificate.residual).replace("+", ""), "missing by", bad ? " miss" : "")];
  if (certificates.length > 1) {
    const worst = certificates.reduce((best, each, index) => each.residual > certificates[best].residual ? index : best, 0);
    second.push(term(tiny(certificates[worst].residual).replace("+", ""), `worst, ${layerName(layersOf(scores)[worst])}`));
  }
  byId("sum").replaceChildren(element("div", { class: "terms" }, ...terms), element("div", { class: "terms" }, ...second));
}

function showTops() {
  const scores = entry(), top = scores.top || [];
  byId("tops").hidden = !top.length;
  if (!top.length) return;
  byId("topstitle").textContent = `The strongest ${kinds[scores.unit] || visible(scores.unit)}`;
  const values = top.map((unit) => unit.score), low = Math.min(0, ...values), high = Math.max(0, ...values);
  const decimals = decimalsOf(values), hasValue = top.some((unit) => unit.value !== undefined);
  const valueDecimals = decimalsOf(top.map((unit) => unit.value ?? 0));
  const cell = (text, kind) => element("td", { class: kind }, text);
  const body = top.map((unit) => {
    const row = element("tr", { "data-layer": unit.layer, "data-position": unit.position },
      element("th", { scope: "row" }, element("button", { type: "button" }, unitName(scores.unit, unit.layer, unit.unit))),
      cell(placeName(unit.position), "words"), cell(fixed(unit.score, decimals, true), unit.score < 0 ? "loss" : "gain"),
      hasValue ? cell(unit.value === undefined ? "\u00b7" : fixed(unit.value, valueDecimals, false)) : null,
      element("td", { class: "bar" }, signedBar(unit.score, low, high)));
    row.addEventListener("click", () => {
      state.position = unit.position;
      const place = layersOf(scores).indexOf(unit.layer);
      if (place >= 0) state.row = place;
      select();
    });
    return row;
  });
  const heads = ["unit", "token", "score", ...(hasValue ? ["value"] : []), ""];
  byId("toptable").replaceChildren(element("table", {}, element("thead", {}, element("tr", {},
    ...heads.map((name, index) => element("th", { scope: "col", class: index === 1 ? "words" : null }, name)))),
  element("tbody", {}, ...body)));
}

function markTops() {
  const layer = layersOf(entry())[state.row];
  for (const row of byId("toptable").querySelectorAll("tbody tr")) {
    row.classList.toggle("here", Number(row.dataset.position) === state.position && Number(row.dataset.layer) === layer);
  }
}

// All numbers of the selected layer, and what every layer sums to.
function showTable() {
  const scores = entry();
  byId("numberstitle").textContent = scores.certificates && hasLayers() ? "Each layer\u2019s sum beside what it must be" : "The numbers as a table";
  if (!byId("numbers").open) return;
  const line = (name, ...cells) => element("tr", {}, element("th", { scope: "row" }, name), ...cells.map((text) => element("td", {}, text)));
  const head = (...names) => element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
  if (scores.certificates && hasLayers()) {
    byId("table").replaceChildren(element("table", {}, head("layer", "sum", "constants", "must be", "missing by"),
      element("tbody", {}, ...scores.certificates.map((each, index) => line(layerName(layersOf(scores)[index]),
        fixed(each.sum, 6, true), each.constants === undefined ? "\u00b7" : fixed(each.constants, 6, true),
        fixed(each.expected, 6, true), tiny(each.residual).replace("+", ""))))));
    return;
  }
  const values = rowsOf(scores)[state.row] || [];
  byId("table").replaceChildren(element("table", {}, head("token", "score"),
    element("tbody", {}, ...values.map((value, position) => line(placeName(position), fixed(value, 8, true))))));
}

function listen() {
  const pick = (event) => event.target.closest("[data-position]");
  for (const name of ["tokens", "bars"]) {
    byId(name).addEventListener("click", (event) => {
      const node = pick(event);
      if (!node) return;
      state.position = Number(node.dataset.position);
      select();
    });
    byId(name).addEventListener("pointermove", (event) => {
      const node = pick(event);
      if (!node || name === "bars") return showTip(event);
      const position = Number(node.dataset.position), values = rowsOf(entry())[state.row] || [];
      tipOf(event, placeName(position), hasLayers() ? layerName(layersOf(entry())[state.row]) : "score",
        values[position] ?? 0, decimalsOf(values));
    });
    byId(name).addEventListener("pointerleave", (event) => showTip(event));
  }
  byId("grid").addEventListener("pointermove", (event) => {
    const cell = grid.cellAt(event);
    if (!cell) return showTip(event);
    tipOf(event, placeName(cell.column), layerName(layersOf(entry())[cell.row]), grid.values[cell.row][cell.column],
      decimalsOf([grid.largest]));
  });
  byId("grid").addEventListener("pointerleave", (event) => showTip(event));
  byId("grid").addEventListener("click", (event) => {
    const cell = grid.cellAt(event);
    if (!cell) return;
    state.row = cell.row;
    state.position = cell.column;
    select();
  });
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.target.closest("input, select, summary")) return;
    const isBars = !hasLayers();
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: isBars ? [0, -1] : [1, 0], ArrowDown: isBars ? [0, 1] : [-1, 0] };
    const step = steps[event.key];
    if (step && event.target.closest("#tokens, #bars, #grid")) {
      event.preventDefault();
      state.row = Math.max(0, Math.min(rowsOf(entry()).length - 1, state.row + step[0]));
      move(step[1], isBars);
      select();
    } else if (event.key.toLowerCase() === "u" && entries.length > 1) {
      state.entry = String((Number(state.entry) + 1) % entries.length);
      showEntry();
    }
  });
  new ResizeObserver(() => {
    if (!hasLayers()) return;
    grid.layout();
    grid.select(state.row, state.position);
  }).observe(byId("grid").parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (hasLayers()) showEntry();
  });
}

// In a list by size the next token is the next line.
function move(step, isBars) {
  const lines = Array.from(byId("bars").children, (node) => Number(node.dataset.position));
  if (!isBars || state.order === "text") {
    state.position += step;
    return;
  }
  const place = lines.indexOf(state.position) + step;
  state.position = lines[Math.max(0, Math.min(lines.length - 1, place))];
}

start();
