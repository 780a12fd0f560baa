"use strict";
// One selected token and one selected layer; everything on the page follows them.

const state = { token: 0, layer: -1, path: [], all: false, check: 0, kind: "layer" };
const explanations = result.explanations;
const kinds = explanations.map((explanation) => quantityOf(explanation, result.method));
// A span's log-probability has no place on a scale of probabilities.
const heatRows = explanations.map((_, index) => index)
  .filter((index) => kinds[index].kind === result.method.target);
const measures = {
  change: ["change", (layer) => layer.value, true],
  lens: ["lens", (layer) => layer.lens, heatRows.some((index) =>
    explanations[index].attributions.some((layer) => layer.lens < 0))],
  contrast: ["contrast", (layer) => layer.contrast_increment, true],
};
let heat, measure = "change";

function start() {
  document.body.classList.toggle("long", result.tokens.length > 90);
  showParameters();
  showTokens();
  showWarnings();
  showLegend();
  const place = location.hash.match(/^#t(\d+)l(\d+)(?:p([\d.]+))?$/) || [];
  const [token, layer] = place.slice(1, 3).map(Number);
  heat = new HeatMap(byId("heatmap"), byId("heatsize"), byId("heatcanvas"), byId("scale"));
  showMeasures();
  showHeat();
  if (explanations.length) {
    state.token = token < explanations.length ? token : 0;
    const count = explanations[state.token].attributions.length;
    choose(state.token, layer < count ? layer : onsetOf(state.token),
      place[3] ? place[3].split(".").map(Number) : []);
  }
  byId("numbers").addEventListener("toggle", showTable);
  new ResizeObserver(() => { heat.layout(); drawFall(); }).observe(byId("waterfall"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => heat.theme());
  listen();
}

function onsetOf(token) {
  const layers = explanations[token].attributions;
  const onset = layers.findIndex((layer) => layer.layer === explanations[token].onset_layer);
  return onset >= 0 ? onset : layers.length - 1;
}

function choose(token, layer, path = []) {
  if (!explanations.length) return;
  state.token = Math.max(0, Math.min(explanations.length - 1, token));
  const count = explanations[state.token].attributions.length;
  state.layer = Math.max(0, Math.min(count - 1, layer));
  state.path = path;
  state.all = false;
  for (const node of document.querySelectorAll("[data-token]")) {
    const isChosen = Number(node.dataset.token) === state.token;
    node.setAttribute("aria-selected", isChosen);
    node.tabIndex = isChosen ? 0 : -1;
    if (isChosen) reveal(node);
  }
  drawFall();
  showDetail();
  showParts();
  if (state.shown !== state.token) {
    state.shown = state.token;
    showChecks();
    showOthers();
    byId("partkeys").hidden = byId("parts").hidden;
  }
  showSum();
  if (byId("numbers").open) showTable();
  heat.select(heatRows.indexOf(state.token), state.layer);
  announce();
  remember();
}

// The place in the address, so that a link opens it again.
function remember() {
  const path = state.path.length ? "p" + state.path.join(".") : "";
  history.replaceState(null, "", `#t${state.token}l${state.layer}${path}`);
}

// Scrolls the text, and never the page, to the selected token.
function reveal(node) {
  const host = byId("tokens");
  const box = node.getBoundingClientRect(), view = host.getBoundingClientRect();
  if (!host.contains(node)) return;
  if (box.top < view.top) host.scrollTop -= view.top - box.top + 6;
  else if (box.bottom > view.bottom) host.scrollTop += box.bottom - view.bottom + 6;
}

function announce() {
  const explanation = explanations[state.token];
  const layer = explanation.attributions[state.layer];
  if (!layer) return;
  const levels = levelsOf(explanation);
  const quantity = kinds[state.token];
  const text = `${targetName(explanation.target)}, ${layerName(layer.layer)}: change `
    + `${quantity.change(levels[state.layer], levels[state.layer + 1])}, lens `
    + `${quantity.level(layer.lens)}${layer.rank ? `, rank ${layer.rank}` : ""}`;
  byId("live").textContent = text;
  byId("waterfall").setAttribute("aria-label", "Waterfall. " + text);
  byId("heatmap").setAttribute("aria-label", "Heat map. " + text);
}

function showMeasures() {
  const hasContrast = explanations.some((explanation) =>
    explanation.attributions.some((layer) => layer.contrast_increment !== undefined));
  for (const [key, [name]] of Object.entries(measures)) {
    if (key === "contrast" && !hasContrast) continue;
    const input = element("input", { type: "radio", name: "measure", value: key });
    input.checked = key === measure;
    input.addEventListener("change", () => { measure = key; showHeat(); choose(state.token, state.layer); });
    byId("measures").append(element("label", {}, input, element("span", {}, name)));
  }
}

function showHeat() {
  const [, read, isSigned] = measures[measure];
  const symbol = heatRows.length ? kinds[heatRows[0]].symbol : "";
  byId("heattitle").textContent = measure === "change" ? `Change of ${symbol} by layer`
    : measure === "lens" ? `${symbol} read by the lens` : `Change of ${symbol} over the contrast`;
  document.querySelector(".heat").hidden = !heatRows.length;
  heat.show(heatRows.map((index) => explanations[index]), read, isSigned);
}

// The end of a text, from a word on where it can be.
function tailOf(text) {
  const parts = Array.from(visible(text.slice(-240)));
  if (parts.length <= 48) return parts.join("");
  const end = parts.slice(-46).join("");
  const word = end.indexOf(" ");
  return "\u2026" + (word >= 0 && word < 16 ? end.slice(word) : end);
}

function drawFall() {
  const explanation = explanations[state.token];
  if (!explanation) return;
  const quantity = kinds[state.token];
  const last = explanation.attributions[explanation.attributions.length - 1];
  // Where every position sees the whole text, all of it is the context.
  const context = result.model.causal === false && result.prompt
    ? visible(result.prompt)
    : joinedText(result.tokens.slice(0, explanation.position + 1));
  byId("readout").replaceChildren(
    element("span", { class: "context" }, tailOf(context)),
    element("strong", {}, targetName(explanation.target)),
    element("span", { class: "value" }, element("i", {}, quantity.symbol), " = ",
      quantity.level(explanation.model_value)),
    element("span", { class: "rank" }, last && last.rank ? `rank ${last.rank}` : quantity.name));
  state.plan = drawWaterfall(byId("waterfall"), explanation, quantity, state);
}

function listen() {
  listenToParts();
  listenToChecks();
  document.addEventListener("click", (event) => {
    const node = event.target.closest("[data-token]");
    if (node) choose(Number(node.dataset.token), onsetOf(Number(node.dataset.token)));
  });
  document.addEventListener("keydown", keys);
  const fall = byId("waterfall"), map = byId("heatmap");
  const slot = (event) => state.plan.at(event.clientX - fall.getBoundingClientRect().left);
  fall.addEventListener("click", (event) => {
    if (slot(event) >= 0) choose(state.token, slot(event));
  });
  fall.addEventListener("pointermove", (event) => tip(event, state.token, slot(event)));
  map.addEventListener("click", (event) => {
    const cell = heat.cell(event);
    if (!cell) return;
    const token = heatRows[cell.row];
    choose(token, cell.layer >= 0 ? cell.layer : onsetOf(token));
  });
  map.addEventListener("pointermove", (event) => {
    const cell = heat.cell(event);
    tip(event, cell ? heatRows[cell.row] : -1, cell ? cell.layer : -1);
  });
  for (const node of [fall, map]) {
    node.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
  }
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !explanations.length) return;
  if (event.target.closest("input, summary, #parameters, #parts, #checks")) return;
  const isChart = event.target.closest("#waterfall, #heatmap");
  const count = explanations[state.token].attributions.length;
  const { token, layer } = state;
  const toToken = (next) => {
    const index = Math.max(0, Math.min(explanations.length - 1, next));
    choose(index, isChart ? layer : onsetOf(index));
    if (!isChart) document.querySelector(`[data-token="${state.token}"]`)?.focus();
  };
  const moves = isChart ? {
    ArrowLeft: () => choose(token, layer - 1), ArrowRight: () => choose(token, layer + 1),
    ArrowUp: () => toToken(token - 1), ArrowDown: () => toToken(token + 1),
    Home: () => choose(token, 0), End: () => choose(token, count - 1),
    PageUp: () => toToken(token - 10), PageDown: () => toToken(token + 10),
    o: () => choose(token, onsetOf(token)),
    Enter: () => byId("partlist").querySelector(".part")?.focus(),
  } : {
    ArrowLeft: () => toToken(token - 1), ArrowRight: () => toToken(token + 1),
  };
  if (!isChart && event.target.closest("[data-token]")) {
    moves.Home = () => toToken(0);
    moves.End = () => toToken(explanations.length - 1);
  }
  const move = moves[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!move) return;
  event.preventDefault();
  byId("tip").hidden = true;
  move();
}

// What is under the pointer, beside it.
function tip(event, token, layer) {
  const box = byId("tip");
  const attribution = token >= 0 ? explanations[token].attributions[layer] : undefined;
  box.hidden = !attribution;
  if (!attribution) return;
  const key = token + " " + layer;
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    box.replaceChildren(element("p", { class: "who" }, targetName(explanations[token].target)),
      ...detailOf(explanations[token], layer, kinds[token]));
  }
  const width = box.offsetWidth, height = box.offsetHeight;
  const x = event.clientX + 16 + width > innerWidth ? event.clientX - width - 12 : event.clientX + 16;
  const y = Math.min(event.clientY + 14,
    byId("sum").getBoundingClientRect().top - height - 8);
  box.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
}

if (result.schema === "telescope/explain/1") start();
else byId("tokens").textContent = "This page cannot show a result of schema " + visible(String(result.schema)) + ".";
