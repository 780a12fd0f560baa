"use strict";
// One selected token and one selected layer; everything on the page follows them.

const result = JSON.parse(document.getElementById("result").textContent);
const byId = (id) => document.getElementById(id);
const state = { token: 0, layer: -1 };
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
  const [token, layer] = (location.hash.match(/^#t(\d+)l(\d+)$/) || []).slice(1).map(Number);
  heat = new HeatMap(byId("heatmap"), byId("heatsize"), byId("heatcanvas"), byId("scale"));
  showMeasures();
  showHeat();
  if (explanations.length) {
    state.token = token < explanations.length ? token : 0;
    const count = explanations[state.token].attributions.length;
    choose(state.token, layer < count ? layer : onsetOf(state.token));
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

function choose(token, layer) {
  if (!explanations.length) return;
  state.token = Math.max(0, Math.min(explanations.length - 1, token));
  const count = explanations[state.token].attributions.length;
  state.layer = Math.max(0, Math.min(count - 1, layer));
  for (const node of document.querySelectorAll("[data-token]")) {
    const isChosen = Number(node.dataset.token) === state.token;
    node.setAttribute("aria-selected", isChosen);
    node.tabIndex = isChosen ? 0 : -1;
    if (isChosen) reveal(node);
  }
  drawFall();
  showDetail();
  showSum();
  if (byId("numbers").open) showTable();
  heat.select(heatRows.indexOf(state.token), state.layer);
  announce();
  history.replaceState(null, "", `#t${state.token}l${state.layer}`);
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

// What the numbers are of, always in sight.
function showParameters() {
  const { model, method } = result;
  const baseline = method.baseline
    + (result.baseline_text !== undefined ? ` \u201c${visible(result.baseline_text)}\u201d` : "");
  const estimator = method.estimator + (method.nodes !== undefined ? ` ${method.nodes}` : "")
    + (method.tolerance !== undefined ? `, tol ${method.tolerance}` : "");
  const rows = [
    ["model", visible(model.name)],
    ["sha256", model.sha256.slice(0, 12), model.sha256],
    ["dtype", `${model.dtype} on ${result.device}`],
    ["target", method.target], ["path", method.path], ["baseline", baseline],
    ["estimator", estimator],
    ["layers", `${method.layers.length} of ${model.layers}`],
    ["onset at", `${method.onset_fraction} of \u03a3|A|`],
    result.contrast && ["contrast", `\u201c${visible(result.contrast.prompt)}\u201d`],
    result.seed !== undefined && ["seed", String(result.seed)],
    ["version", result.tool_version],
  ].filter(Boolean);
  byId("parameters").append(...rows.map(([name, value, title]) =>
    element("div", {}, element("dt", {}, name), element("dd", { title }, value))));
}

// The text, each explained token shaded by the model's value.
function showTokens() {
  const host = byId("tokens");
  host.setAttribute("role", "listbox");
  host.setAttribute("aria-label", "Explained tokens");
  host.setAttribute("aria-orientation", "horizontal");
  const at = new Map();
  const also = [];
  explanations.forEach((explanation, index) => {
    const next = result.tokens[explanation.position + 1];
    const isNext = next && next.id === explanation.target.id && !explanation.target.span;
    if (isNext && !at.has(explanation.position + 1)) at.set(explanation.position + 1, index);
    else also.push(index);
  });
  result.tokens.forEach((token, position) => {
    const isText = !token.bytes;
    const text = isText ? visible(token.text) : tokenName(token);
    const index = at.get(position);
    if (index === undefined) {
      host.append(element("span", { class: "plain", role: "presentation" }, text));
    } else {
      host.append(chip(index, text));
    }
    if (token.text.includes("\n")) host.append(element("br", { role: "presentation" }));
    if (position + 1 === result.prompt_tokens && position + 1 < result.tokens.length) {
      host.append(element("span", { class: "border", role: "presentation",
        title: "end of the prompt" }));
    }
  });
  if (!also.length) return;
  const label = also.every((index) => explanations[index].target.span) ? "span" : "also explained";
  byId("also").hidden = false;
  byId("also").setAttribute("role", "listbox");
  byId("also").setAttribute("aria-label", "More explanations");
  byId("also").append(element("span", { class: "label", role: "presentation" }, label),
    ...also.map((index) => chip(index, targetName(explanations[index].target))));
}

function chip(index, text) {
  const explanation = explanations[index];
  const quantity = kinds[index];
  const value = quantity.level(explanation.model_value);
  const node = element("span", {
    class: "chip", role: "option", "data-token": index, tabindex: -1,
    title: `${quantity.symbol} = ${value}`,
    "aria-label": `${targetName(explanation.target)}, ${quantity.name} ${value}`,
  }, text);
  node.style.setProperty("--share", shareOf(index).toFixed(3));
  return node;
}

// How dark a token is: its probability; on other scales, its place between the lowest and highest.
function shareOf(index) {
  const value = explanations[index].model_value;
  if (kinds[index].kind === "prob") return Math.max(0, Math.min(1, value));
  if (kinds[index].kind === "logprob") return Math.exp(Math.min(0, value));
  const all = heatRows.map((row) => explanations[row].model_value);
  const low = Math.min(...all), high = Math.max(...all);
  return high > low ? (value - low) / (high - low) : 0.5;
}

function showWarnings() {
  if (!result.warnings.length) return;
  byId("warnings").hidden = false;
  byId("warnings").append(...result.warnings.map((text) => element("p", {}, visible(text))));
}

function showLegend() {
  const hasContrast = explanations.some((explanation) =>
    explanation.attributions.some((layer) => layer.contrast_lens !== undefined));
  const items = [["gain", "adds"], ["loss", "takes away"], ["lens", "lens reading"],
    hasContrast && ["contrast", "lens of the contrast prompt"], ["onset", "onset"]];
  byId("legend").append(...items.filter(Boolean).map(([name, text]) =>
    element("li", { class: name }, text)));
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
  const context = result.tokens.slice(0, explanation.position + 1).map((token) => token.text);
  byId("readout").replaceChildren(
    element("span", { class: "context" }, tailOf(context.join(""))),
    element("strong", {}, targetName(explanation.target)),
    element("span", { class: "value" }, element("i", {}, quantity.symbol), " = ",
      quantity.level(explanation.model_value)),
    element("span", { class: "rank" }, last && last.rank ? `rank ${last.rank}` : quantity.name));
  state.plan = drawWaterfall(byId("waterfall"), explanation, quantity, state);
}

// The selected layer: what it adds, what the lens reads before and after it, the top tokens there.
function showDetail() {
  const explanation = explanations[state.token];
  const layer = explanation.attributions[state.layer];
  if (!layer) return;
  byId("detail").replaceChildren(...detailOf(explanation, state.layer, kinds[state.token]));
}

function detailOf(explanation, index, quantity) {
  const layer = explanation.attributions[index];
  const levels = levelsOf(explanation);
  const isOnset = layer.layer === explanation.onset_layer;
  const rows = [
    ["lens", quantity.level(layer.lens)],
    layer.rank !== undefined && ["rank of the target", String(layer.rank)],
    layer.entropy !== undefined && ["entropy", fixed(layer.entropy, 2, false) + " nats"],
    layer.contrast_lens !== undefined && ["contrast lens", quantity.level(layer.contrast_lens)],
    layer.contrast_difference !== undefined
      && ["difference", fixed(layer.contrast_difference, quantity.decimals, true)],
    layer.contrast_increment !== undefined
      && ["increment", fixed(layer.contrast_increment, quantity.decimals, true)],
    layer.nodes !== undefined && ["nodes", String(layer.nodes)],
    layer.converged === false && ["converged", "no"],
  ].filter(Boolean);
  const parts = [
    element("h2", {}, layerName(layer.layer), isOnset ? element("em", {}, "onset") : null),
    element("p", { class: layer.value < 0 ? "change loss" : "change gain" },
      quantity.change(levels[index], levels[index + 1])),
    element("p", { class: "run" }, quantity.level(levels[index]) + " \u2192 "
      + quantity.level(levels[index + 1])),
    element("dl", {}, ...rows.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
  ];
  if (layer.top && layer.top.length) {
    parts.push(element("h3", {}, "most probable here"), element("ol", { class: "top" },
      ...layer.top.map((token) => {
        const isTarget = token.id === explanation.target.id;
        const item = element("li", { class: isTarget ? "target" : null },
          element("span", { class: "name" }, tokenName(token)),
          element("span", { class: "bar" }, element("b", {})),
          element("span", { class: "number" }, fixed(token.probability, 3, false)));
        item.style.setProperty("--share", Math.max(0, Math.min(1, token.probability)));
        return item;
      })));
  }
  return parts;
}

// The sum and its certificate, always in sight.
function showSum() {
  const explanation = explanations[state.token];
  const quantity = kinds[state.token];
  const levels = levelsOf(explanation);
  const end = levels[levels.length - 1];
  const change = quantity.change(explanation.baseline_value, end);
  const isNegative = change.startsWith(minus);
  const miss = Math.abs(explanation.certificate) > 5e-5 * (1 + Math.abs(explanation.model_value));
  const term = (label, value, name = "") =>
    element("span", { class: "term " + name }, element("b", {}, value), element("small", {}, label));
  const sign = (text) => element("span", { class: "sign", "aria-hidden": "true" }, text);
  byId("sum").replaceChildren(
    element("span", { class: "terms" },
      term("baseline", quantity.level(explanation.baseline_value)), sign(isNegative ? minus : "+"),
      term(`\u03a3 of ${explanation.attributions.length} layers`, change.replace(/^[+\u2212]/, "")),
      sign("="), term("total", quantity.level(end))),
    element("span", { class: "terms" },
      term("model\u2019s own pass", quantity.level(explanation.model_value)),
      term("certificate", tiny(explanation.certificate), miss ? "miss" : "holds"),
      term("onset", explanation.onset_layer === undefined ? "\u2013"
        : layerName(explanation.onset_layer))));
}

function showTable() {
  const explanation = explanations[state.token];
  if (!explanation || !byId("numbers").open) return;
  const quantity = kinds[state.token];
  const levels = levelsOf(explanation);
  const heads = ["layer", "change", "running", "lens", "rank", "entropy", "most probable"];
  const cells = (row, first = "td") => element("tr", {}, ...row.map((text, index) =>
    element(index === 0 ? "th" : first, index === 0 ? { scope: "row" } : {}, text)));
  const body = [cells(["baseline", "", quantity.level(levels[0]), "", "", "", ""])];
  explanation.attributions.forEach((layer, index) => body.push(cells([
    layer.layer < 0 ? "embedding" : String(layer.layer),
    quantity.change(levels[index], levels[index + 1]), quantity.level(levels[index + 1]),
    quantity.level(layer.lens), layer.rank === undefined ? "" : String(layer.rank),
    layer.entropy === undefined ? "" : fixed(layer.entropy, 2, false),
    layer.top && layer.top.length ? tokenName(layer.top[0]) : "",
  ])));
  body.push(cells(["sum", quantity.change(levels[0], levels[levels.length - 1]),
    quantity.level(levels[levels.length - 1]), "", "", "", ""]));
  body.push(cells(["model", "", quantity.level(explanation.model_value), "", "", "", ""]));
  byId("table").replaceChildren(element("table", {},
    element("caption", {}, `${quantity.name} of ${targetName(explanation.target)}`),
    element("thead", {}, element("tr", {}, ...heads.map((text) =>
      element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...body)));
}

function listen() {
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
  if (event.target.closest("input, summary, #parameters")) return;
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
