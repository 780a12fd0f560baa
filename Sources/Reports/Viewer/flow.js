"use strict";
// One selected target, source and layer; every map, list and bar follows.

const state = { layer: 0, column: 0, source: 0, by: "target", route: Object.keys(routes)[0], other: "",
  view: "side", scale: "root", head: null, kind: Object.keys(headKinds)[0], selves: "without_self" };
const figures = [];
const headFigures = [];
const large = [];
const differences = new Map();
let limits = {}, pendingAddress;

const isCompared = () => Boolean(state.other) && state.other !== state.route;
const isDifference = () => isCompared() && state.view === "difference";
const headOf = (key) => routes[key].isHeads ? state.head : null;
const shownRoutes = () => isCompared() && !isDifference() ? [state.route, state.other] : [state.route];

function shownMap(key, place) {
  const map = mapOf(key, place, headOf(key));
  if (!isDifference()) return map;
  const isShare = state.scale === "share";
  const name = [key, state.other, place, state.head, isShare].join(" ");
  if (!differences.has(name)) {
    const found = difference(map, mapOf(state.other, place, headOf(state.other)), isShare);
    differences.set(name, Object.assign(found, { isShare }));
  }
  return differences.get(name);
}

function start() {
  document.body.classList.toggle("long", result.tokens.length > 60);
  showParameters();
  if (result.warnings.length) {
    byId("warnings").hidden = false;
    byId("warnings").append(...result.warnings.map((text) => element("p", {}, visible(text))));
  }
  if (!state.route || !columnCount || !sourceCount) {
    byId("tokens").textContent = visible(joinedText(result.tokens));
    byId("unit").textContent = "There is no map from tokens to tokens in this result.";
    return;
  }
  readPalette();
  showTokens();
  const keys = Object.keys(routes);
  radios("by", { target: "into a target", source: "out of a source" }, "by", select);
  radios("routes", Object.fromEntries(keys.map((key) => [key, routes[key].name])), "route", showAll);
  radios("views", { side: "side by side", difference: "difference" }, "view", showAll);
  radios("scales", { root: "\u221a", linear: "linear", share: "share of column" }, "scale", showAll);
  if (keys.length > 1) {
    byId("others").hidden = false;
    byId("other").append(element("option", { value: "" }, "nothing"),
      ...keys.map((key) => element("option", { value: key }, routes[key].name)));
    byId("other").addEventListener("change", () => {
      state.other = byId("other").value;
      showAll();
    });
  }
  const kinds = Object.keys(headKinds);
  byId("heads").hidden = !kinds.length;
  radios("headkinds", Object.fromEntries(kinds.map((key) => [key, headKinds[key].name])), "kind", () => {
    showHeads();
    showHeadMaps();
  });
  state.column = columnCount - 1;
  state.layer = layers.length - 1;
  readAddress();
  buildFigures();
  byId("headmaps").addEventListener("toggle", showHeadMaps);
  byId("numbers").addEventListener("toggle", showTable);
  if (result.agreement && result.agreement.length) {
    byId("agreement").hidden = false;
    const show = () => byId("agreementtable").replaceChildren(
      agreementTable(result.agreement, state.selves));
    radios("selves", { without_self: "without the own entry", with_self: "with it" }, "selves", show);
    show();
  }
  showAll();
  listen();
}

function buildFigures() {
  layers.forEach((layer, place) => {
    const pair = [new SmallMap(), new SmallMap()];
    const score = element("span", {});
    const ranks = element("ol", { class: "ranks" });
    const node = element("figure", { "data-place": place }, element("figcaption", {},
      element("b", {}, "layer " + layer.layer), score),
    element("div", { class: "pair" }, pair[0].node, pair[1].node), ranks);
    figures.push({ node, pair, score, ranks });
    byId("layers").append(node);
  });
  for (let count = 0; count < 2; count++) {
    const map = new LargeMap();
    large.push(map);
    byId("focusmaps").append(map.node);
  }
  const style = byId("layers").style;
  style.setProperty("--columns", columnCount);
  style.setProperty("--sources", sourceCount);
}

// Everything: a route, a scale, a head or the colours changed.
function showAll() {
  const isDiff = isDifference();
  byId("views").hidden = !isCompared();
  byId("other").value = state.other;
  for (const field of ["route", "view", "scale", "by", "kind"]) setRadio(field);
  const keys = shownRoutes();
  // One scale for all layers, and for both routes where their numbers are of one unit.
  const isShare = state.scale === "share";
  const field = isShare && !isDiff ? "share" : "largest";
  limits = {};
  for (const key of keys) {
    limits[key] = layers.reduce((most, _, place) => Math.max(most, shownMap(key, place)[field]), 0) || 1;
  }
  const isOne = keys.length < 2 || isShare || routes[keys[0]].unit === routes[keys[1]].unit;
  if (isOne) {
    const most = Math.max(...keys.map((key) => limits[key]));
    for (const key of keys) limits[key] = most;
  }
  drawLegend(byId("scale"), state.scale, limits[keys[0]], isShare);
  showUnit(keys, isOne);
  const wanted = smallWidth(keys.length);
  figures.forEach((figure, place) => paintFigure(figure, place, keys, wanted));
  showHeadMaps();
  paintLarge();
  select();
}

// The room of one small map: about six layers a line, and lines of about one length.
function smallWidth(sides) {
  const room = byId("layers").clientWidth - 6;
  const most = Math.max(1, Math.floor((room + 18) / (138 * sides + 18)));
  const lines = Math.ceil(layers.length / Math.min(6, most));
  const across = Math.ceil(layers.length / lines);
  return Math.min(230, ((room - (across - 1) * 18) / across - (sides - 1) * 6) / sides - 1);
}

function totalsOf(key, place) {
  const map = mapOf(key, place, headOf(key));
  return targets.map((_, column) => totalOf(routes[key], place, column, headOf(key), map));
}

function largestTotal(key) {
  return layers.reduce((most, _, place) => totalsOf(key, place).reduce((inner, { total }) =>
    Math.max(inner, Math.abs(total)), most), 0);
}

function paintFigure(figure, place, keys, wanted) {
  figure.pair[1].node.hidden = keys.length < 2;
  keys.forEach((key, side) => figure.pair[side].paint(shownMap(key, place), totalsOf(key, place),
    limits.totals?.[key] ?? cachedTotal(key), state.scale, limits[key], wanted));
  // A map of few targets is narrower than the names below it.
  const width = figure.pair[0].width * keys.length + (keys.length - 1) * 6;
  figure.node.style.width = Math.max(124, width) + "px";
  if (!isCompared()) {
    figure.score.textContent = "";
    return;
  }
  const found = agreementOf(mapOf(state.route, place, headOf(state.route)),
    mapOf(state.other, place, headOf(state.other)), state.scale === "share");
  const text = (value) => value === null ? "\u00b7" : fixed(value, 2, false);
  figure.score.textContent = `rel. L2 ${text(found.relative)} \u00b7 cos ${text(found.cosine)}`;
}

const totalLimits = new Map();

function cachedTotal(key) {
  const name = key + headOf(key);
  if (!totalLimits.has(name)) totalLimits.set(name, largestTotal(key));
  return totalLimits.get(name);
}

function routeTitle(key) {
  const route = routes[key];
  const head = !route.isHeads ? "" : state.head === null ? ", summed over heads"
    : ", head " + heads[state.head];
  return route.name + head;
}

function showUnit(keys, isOne) {
  const base = routes[state.route];
  const parts = [element("b", {}, keys.map(routeTitle).join(" | ")
    + (isDifference() ? ` ${minus} ${routeTitle(state.other)}` : "")), ` \u00b7 ${base.what} \u00b7 `];
  parts.push(state.scale === "share" ? "colour: share of the column\u2019s sizes"
    : `colour: ${base.unit}` + (state.scale === "root" ? ", by the root of the size" : ""));
  if (!isOne) {
    parts.push(`, the second map\u2019s up to ${fixed(limits[keys[1]], decimalsFor(limits[keys[1]]), false)} `
      + routes[keys[1]].unit);
  }
  parts.push(" \u00b7 rows are sources, columns targets \u00b7 bars: totals of targets");
  byId("unit").replaceChildren(...parts);
}

function paintLarge() {
  const keys = shownRoutes();
  const room = byId("focusmaps").clientWidth;
  large[1].node.hidden = keys.length < 2;
  keys.forEach((key, side) => {
    large[side].plan(keys.length > 1 && room > 760 ? (room - 26) / 2 : room);
    paintFocus(key, side);
  });
}

function paintFocus(key, side) {
  large[side].caption.textContent = shownRoutes().length > 1 ? routeTitle(key) : "";
  large[side].paint(shownMap(key, state.layer), totalsOf(key, state.layer), cachedTotal(key),
    state.scale, limits[key]);
}

// A target, source or layer changed: nothing small is painted again.
let painted = -1;

function select() {
  state.column = Math.max(0, Math.min(columnCount - 1, state.column));
  state.source = Math.max(0, Math.min(sourceCount - 1, state.source));
  state.layer = Math.max(0, Math.min(layers.length - 1, state.layer));
  const { layer, column, source } = state;
  const isTarget = state.by === "target";
  const keys = shownRoutes();
  for (const host of [byId("layers"), byId("headgrid")]) {
    host.style.setProperty("--column", column);
    host.style.setProperty("--source", source);
    host.classList.toggle("by-target", isTarget);
    host.classList.toggle("by-source", !isTarget);
  }
  const key = state.route;
  figures.forEach((figure, place) => {
    figure.node.classList.toggle("here", place === layer);
    const map = shownMap(key, place);
    const terms = rankedTerms(map, isTarget, column, source).slice(0, 3);
    const decimals = Math.max(1, decimalsFor(Math.abs(terms[0].value)) - 1);
    figure.ranks.replaceChildren(...terms.map((term) => element("li", {},
      element("span", {}, nameOf(term.position)),
      element("b", { class: term.value < 0 ? "loss" : "gain" }, signedText(term.value, decimals)))));
  });
  if (painted !== layer) keys.forEach(paintFocus);
  painted = layer;
  keys.forEach((_, side) => large[side].draw(column, source));
  byId("focustitle").replaceChildren("Layer " + layers[layer].layer, element("small", {},
    (layers[layer].baseline.layer ? "from " + visible(layers[layer].baseline.layer) : "")
    + ` \u00b7 ${nameOf(source)} \u2192 ${nameOf(targets[column])}`));
  large[0].canvas.setAttribute("aria-label", `map of layer ${layers[layer].layer}, `
    + `${sourceCount} sources by ${columnCount} targets`);
  shadeTokens();
  showDetail();
  showHeads();
  if (headPlace !== layer) showHeadMaps();
  showTable();
  clearTimeout(pendingAddress);
  pendingAddress = setTimeout(writeAddress, 300);
}

function shadeTokens() {
  const { layer, column, source } = state;
  const isTarget = state.by === "target";
  const map = shownMap(state.route, layer);
  const terms = rankedTerms(map, isTarget, column, source);
  const most = Math.abs(terms[0]?.value ?? 0) || 1;
  const values = new Map(terms.map((term) => [term.position, term.value]));
  const own = isTarget ? targets[column] : source;
  const other = isTarget ? source : targets[column];
  chips.forEach((chip, position) => {
    const value = values.get(position) ?? 0;
    chip.style.setProperty("--share", (Math.abs(value) / most).toFixed(3));
    chip.classList.toggle("takes", value < 0);
    chip.classList.toggle("other", position === other && position !== own);
    chip.setAttribute("aria-selected", position === own);
    chip.tabIndex = position === own ? 0 : -1;
  });
  const name = element("b", {}, nameOf(own));
  byId("asked").replaceChildren(isTarget ? "Shaded: what flows into " : "Shaded: what flows out of ", name,
    ` in layer ${layers[layer].layer}, ${routeTitle(state.route)}`);
  const mark = isTarget ? targets : null;
  chips.forEach((chip, position) => chip.classList.toggle("closed", mark !== null && !mark.includes(position)));
}

// Differences of shares are shares; everything else is in the unit of its route.
function signedText(value, decimals) {
  return isDifference() && state.scale === "share" ? fixed(100 * value, 1, true) + "%"
    : fixed(value, decimals, true);
}

// How far the two routes are apart in the selected column or row, relative to the first.
function apart(place) {
  const [first, second] = [state.route, state.other].map((key) => mapOf(key, place, headOf(key)));
  const isShare = state.scale === "share";
  const pick = (map) => rankedTerms(map, state.by === "target", state.column, state.source)
    .sort((a, b) => a.at - b.at).map((term) => isShare
      ? term.value / (map.sizes[state.by === "target" ? state.column : term.at] || 1) : term.value);
  const [a, b] = [pick(first), pick(second)];
  const size = (list) => Math.sqrt(list.reduce((sum, value) => sum + value * value, 0));
  const whole = size(a);
  return whole ? size(a.map((value, at) => value - b[at])) / whole : null;
}

function showDetail() {
  const { layer, column, source } = state;
  const isTarget = state.by === "target";
  const key = state.route;
  const map = shownMap(key, layer);
  const plain = mapOf(key, layer, headOf(key));
  const found = totalOf(routes[key], layer, column, headOf(key), plain);
  const own = isTarget ? targets[column] : source;
  const terms = rankedTerms(map, isTarget, column, source);
  const decimals = decimalsFor(Math.abs(terms[0]?.value ?? 0));
  const sum = terms.reduce((total, term) => total + term.value, 0);
  const isDiff = isDifference();
  const head = element("h2", {}, isTarget ? "into " : "out of ", element("b", {}, nameOf(own)),
    isTarget && found.isOpen ? element("em", { class: "open" }, "above the tolerance") : null);
  const amount = isTarget ? found.total : sum;
  const title = isDiff ? routeTitle(key) + " " + minus + " " + routeTitle(state.other) : routeTitle(key);
  const parts = [["layer", String(layers[layer].layer)], ["route", title]];
  if (isTarget && found.error !== null && !isDiff) {
    parts.push(["sum of sources", fixed(plain.sums[column], decimals, true)],
      ["completeness error", tiny(found.error).replace("+", "")], ["nodes", String(found.nodes)]);
  }
  const distance = isDiff ? apart(layer) : null;
  const change = element("p", { class: "change" }, isDiff
    ? (distance === null ? "\u00b7" : fixed(distance, 3, false)) : fixed(amount, decimals, false));
  const unit = element("p", { class: "run" }, isDiff
    ? "relative L2 of the two" : (isTarget ? (found.error === null ? "sum in " : "total ") : "given in all, ")
    + routes[key].unit);
  const show = (value) => signedText(value, decimals);
  const list = rankedList(terms, isTarget ? source : column, own, show, 14, (at) => {
    if (isTarget) state.source = at;
    else state.column = at;
    select();
  });
  const cell = source * columnCount + column;
  const values = layers.map((_, place) => shownMap(key, place).values[cell]);
  byId("detail").replaceChildren(head, change, unit,
    element("dl", {}, ...parts.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    element("h3", {}, isTarget ? "strongest sources" : "strongest targets"), list,
    element("h3", {}, `${nameOf(source)} \u2192 ${nameOf(targets[column])} by layer: `
      + show(values[layer])),
    profileOf(values, layer, layers.map((each) => String(each.layer)), (place) => {
      state.layer = place;
      select();
    }));
  byId("live").textContent = `layer ${layers[layer].layer}, from ${nameOf(source)} to `
    + `${nameOf(targets[column])}: ${show(values[layer])}; total of the target `
    + fixed(found.total, decimals, false) + (found.isOpen ? ", above the tolerance" : "");
}

function chooseHead(head) {
  const route = headKinds[state.kind].route;
  if (!route) return;
  state.head = state.head === head && state.route === route ? null : head;
  state.route = route;
  showAll();
}

function showHeads() {
  if (!state.kind) return;
  const kind = headKinds[state.kind];
  byId("headtitle").textContent = `Heads of layer ${layers[state.layer].layer} for `
    + nameOf(targets[state.column]);
  byId("strip").title = `${kind.what}, in ${kind.unit}`;
  byId("strip").replaceChildren(...headStrip(state.kind, state.layer, state.column,
    state.route === kind.route ? state.head : -1, chooseHead));
  byId("headmaps").hidden = !kind.route;
}

// The maps of the heads of one layer, painted when they are opened; one scale for all of them.
let headPlace = -1;

function showHeadMaps() {
  headPlace = state.layer;
  const route = state.kind && headKinds[state.kind].route;
  if (!route || !byId("headmaps").open) return;
  if (!headFigures.length) {
    heads.forEach((head, place) => {
      const map = new SmallMap();
      const node = element("figure", { "data-head": place }, element("figcaption", {},
        element("b", {}, "head " + head)), map.node);
      headFigures.push({ node, map });
      byId("headgrid").append(node);
    });
    byId("headgrid").style.setProperty("--columns", columnCount);
    byId("headgrid").style.setProperty("--sources", sourceCount);
  }
  const found = heads.map((_, head) => mapOf(route, state.layer, head));
  const isShare = state.scale === "share";
  const limit = found.reduce((most, map) => Math.max(most, isShare ? map.share : map.largest), 0) || 1;
  headFigures.forEach(({ node, map }, head) => {
    map.paint(found[head], null, 0, state.scale, limit, 130);
    node.classList.toggle("here", state.route === route && state.head === head);
  });
}

function showTable() {
  if (!byId("numbers").open) return;
  const { layer, column, source } = state;
  const isTarget = state.by === "target";
  const map = shownMap(state.route, layer);
  const body = [];
  const count = isTarget ? sourceCount : columnCount;
  for (let at = 0; at < count; at++) {
    const [from, to] = isTarget ? [at, column] : [source, at];
    const value = map.values[from * columnCount + to];
    const share = map.sizes[to] ? value / map.sizes[to] : 0;
    body.push(element("tr", {}, element("th", { scope: "row" }, nameOf(isTarget ? at : targets[at])),
      element("td", {}, fixed(value, 6, true)), element("td", {}, fixed(100 * share, 2, true) + "%")));
  }
  byId("table").replaceChildren(element("table", {}, element("caption", {},
    `layer ${layers[layer].layer}, ${routeTitle(state.route)}, `
    + (isTarget ? "into " + nameOf(targets[column]) : "out of " + nameOf(source))),
  element("thead", {}, element("tr", {}, ...[isTarget ? "source" : "target", "flow",
    "share of the column\u2019s sizes"].map((text) => element("th", { scope: "col" }, text)))),
  element("tbody", {}, ...body)));
}

function showParameters() {
  const { model, parameters } = result;
  const { baseline } = parameters;
  const starts = [["attention", baseline.attention], ["feed-forward", baseline.feed_forward],
    ["layer", baseline.layer]].filter((pair) => pair[1]);
  const list = [
    ["model", visible(model.name), visible(model.name)], ["sha256", model.sha256.slice(0, 12), model.sha256],
    ["dtype", visible(`${model.dtype} on ${result.device}`)],
    ...starts.map(([name, from]) => [name + " from", visible(from)]),
    ["boundary", visible(parameters.boundary)], ["measured", visible(parameters.scalarisation)],
    ["integral", visible(parameters.quadrature) + (parameters.steps ? " " + parameters.steps : "")
      + (parameters.tolerance ? " to " + parameters.tolerance : "")],
    ["layers", `${layers.length} of ${model.layers}`], ["targets", `${columnCount} of ${sourceCount}`],
    ["version", visible(result.tool_version)],
  ];
  byId("parameters").append(...list.map(([name, value, title]) =>
    element("div", {}, element("dt", {}, name), element("dd", { title }, value))));
}

function chooseToken(position) {
  if (state.by === "source") state.source = position;
  else if (targets.includes(position)) state.column = targets.indexOf(position);
  else return;
  select();
}
