"use strict";
// What stands beside the maps: the selected target or source as a ranked list, heads, agreement, and
// the files that a person can save.

// The numbers of the selected column or row, the strongest first.
function rankedTerms(map, isTarget, column, source) {
  const terms = [];
  const count = isTarget ? sourceCount : columnCount;
  for (let at = 0; at < count; at++) {
    const value = isTarget ? map.values[at * columnCount + column] : map.values[source * columnCount + at];
    terms.push({ at, value, position: isTarget ? at : targets[at] });
  }
  return terms.sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.at - b.at);
}

function rankedList(terms, here, own, show, most, choose) {
  const shown = terms.slice(0, most);
  const low = Math.min(0, ...shown.map((term) => term.value));
  const high = Math.max(0, ...shown.map((term) => term.value));
  const rows = shown.map((term) => {
    const row = element("li", { class: term.at === here ? "here" : null,
      title: nameOf(term.position) + (term.position === own ? ", the token itself" : "") },
    element("span", { class: "name" }, nameOf(term.position) + (term.position === own ? " \u27f2" : "")),
    signedBar(term.value, low, high),
    element("span", { class: "number " + (term.value < 0 ? "loss" : "gain") },
      show(term.value)));
    row.addEventListener("click", () => choose(term.at));
    return row;
  });
  const rest = terms.slice(most);
  if (rest.length) {
    const sum = rest.reduce((total, term) => total + term.value, 0);
    rows.push(element("li", { class: "rest" }, element("span", { class: "name" },
      `${rest.length} other${rest.length === 1 ? "" : "s"}`), element("span", {}),
    element("span", { class: "number" }, show(sum))));
  }
  return element("ol", { class: "top" }, ...rows);
}

// MARK: Heads

// What can be said of each head for one target of a layer.
const headKinds = {};
if (layers.length && layers.every((layer) => layer.heads)) {
  headKinds.heads = { name: "through heads", unit: "\u2016\u0394z\u2032\u2016", route: "heads",
    what: "K summed over sources, and R past the heads" };
}
if (layers.length && layers.every((layer) => layer.attention_flow)) {
  headKinds.attention = { name: "attention", unit: "\u2016\u0394u\u2016", route: "attention",
    what: "A summed over sources" };
}
if (layers.length && layers.every((layer) => layer.feed_forward_flow)) {
  headKinds.feed_forward = { name: "feed-forward", unit: "\u2016\u0394z\u2032\u2016", route: null,
    what: "M, what each head of u gives to z\u2032" };
}

function headValues(kind, place, column) {
  const layer = layers[place];
  if (kind === "feed_forward") {
    return Array.from(numbersOf(layer.feed_forward_flow).subarray(column * headCount, (column + 1) * headCount));
  }
  const numbers = numbersOf(kind === "heads" ? layer.heads.conductance : layer.attention_flow);
  const sums = new Array(headCount).fill(0);
  for (let source = 0; source < sourceCount; source++) {
    const start = (source * columnCount + column) * headCount;
    for (let head = 0; head < headCount; head++) sums[head] += numbers[start + head];
  }
  return sums;
}

function headStrip(kind, place, column, chosen, choose) {
  const values = headValues(kind, place, column);
  const names = heads.map((head) => "h" + head);
  if (kind === "heads") {
    values.push(numbersOf(layers[place].heads.residual)[column]);
    names.push("past");
  }
  const low = Math.min(0, ...values), high = Math.max(0, ...values);
  const decimals = decimalsFor(Math.max(high, -low)), span = high - low || 1;
  const tall = 56;
  return values.map((value, head) => {
    const isPast = head === headCount;
    const node = element("button", { type: "button", class: value < 0 ? "loss" : null,
      "aria-pressed": isPast ? null : String(head === chosen),
      disabled: isPast || !headKinds[kind].route,
      "aria-label": `${isPast ? "past the heads" : "head " + heads[head]}, ${fixed(value, decimals, true)}` },
    element("span", { class: "axis" }), element("span", { class: "bar" }),
    element("span", { class: "name" }, names[head]),
    element("span", { class: "value" }, fixed(value, decimals, true)));
    node.style.setProperty("--zero", 3 + (high / span) * tall + "px");
    node.style.setProperty("--from", 3 + ((high - Math.max(0, value)) / span) * tall + "px");
    node.style.setProperty("--tall", Math.max(1, (Math.abs(value) / span) * tall) + "px");
    if (!isPast) node.addEventListener("click", () => choose(head));
    return node;
  });
}

// MARK: Agreement

const scores = [["relative_l2", "rel. L2", true], ["scaled_residual", "scaled", true],
  ["share_l2", "share L2", true], ["cosine", "cosine", false], ["pearson", "Pearson", false],
  ["spearman", "Spearman", false], ["top_overlap", "top k", false]];

// Every score beside what predictors that know nothing of the second route reach.
function agreementTable(entries, selves) {
  const head = element("tr", {}, element("th", { scope: "col" }, ""),
    ...scores.map(([, name, isLess]) => element("th", { scope: "col",
      title: isLess ? "less is nearer" : "more is nearer" }, name + (isLess ? " \u2193" : " \u2191"))),
    element("th", { scope: "col" }, "published L2"), element("th", { scope: "col" }, "published r"));
  const number = (value) => value === undefined || value === null ? "\u00b7" : fixed(value, 3, false);
  const line = (name, values, published, kind, better) => element("tr", { class: kind },
    element("th", { scope: "row" }, name),
    ...scores.map(([key], index) => element("td", { class: better ? better[index] : null }, number(values[key]))),
    element("td", {}, number(published?.l2_mean)), element("td", {}, number(published?.corr_mean)));
  const body = [];
  const isNone = (value) => value === undefined || value === null;
  const isWhole = (entry) => isNone(entry.layer) && isNone(entry.head);
  const pairs = new Map();
  for (const entry of entries) {
    const pair = entry.routes.map(visible).join(" with ");
    pairs.set(pair, [...(pairs.get(pair) || []), entry]);
  }
  const ordered = [...pairs].flatMap(([pair, list]) => [pair, ...list.filter(isWhole),
    ...list.filter((entry) => !isWhole(entry))]);
  for (const entry of ordered) {
    if (typeof entry === "string") {
      body.push(element("tr", { class: "group" }, element("th", { colspan: scores.length + 3 }, entry)));
      continue;
    }
    const name = isWhole(entry) ? "all layers" : [isNone(entry.layer) ? "" : "layer " + entry.layer,
      isNone(entry.head) ? "" : "head " + entry.head].filter(Boolean).join(" ");
    const better = scores.map(([key, , isLess]) => {
      const value = entry[selves][key];
      const nulls = entry.nulls.map((each) => each[selves][key]).filter((each) => typeof each === "number");
      if (typeof value !== "number" || !nulls.length) return null;
      return (isLess ? value < Math.min(...nulls) : value > Math.max(...nulls)) ? "won" : "lost";
    });
    body.push(line(name, entry[selves], entry.published, null, better));
    if (!isWhole(entry)) continue;
    for (const each of entry.nulls) {
      body.push(line("\u2003null: " + visible(each.name), each[selves], each.published, "null"));
    }
  }
  return element("table", {}, element("caption", {},
    "Blue where no null predictor is as near, orange where one is."),
  element("thead", {}, head), element("tbody", {}, ...body));
}

// MARK: Files

function save(name, blob) {
  const address = URL.createObjectURL(blob);
  const link = element("a", { download: name });
  link.href = address;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

const quoted = (text) => "\"" + text.replace(/"/g, "\"\"") + "\"";

// The maps that are shown, of all layers, in the columns of the command's own table.
function csvOf(key, head) {
  const rows = ["layer,map,quantity,source,source_token,target,target_token,head,value\r\n"];
  const names = { layer: "layer_flow", heads: "heads.conductance", attention: "attention_flow" };
  layers.forEach((layer, place) => {
    const { values } = mapOf(key, place, head);
    const shown = routes[key].isHeads ? (head === null ? "sum" : String(heads[head])) : "";
    for (let at = 0; at < values.length; at++) {
      const source = Math.floor(at / columnCount), target = targets[at % columnCount];
      rows.push(`${layer.layer},${quoted(names[key] || key)},"flow",${source},`
        + `${quoted(result.tokens[source].text)},${target},${quoted(result.tokens[target].text)},`
        + `${shown},${number32(values[at])}\r\n`);
    }
  });
  return rows.join("");
}

// The shortest decimal of a float32.
function number32(value) {
  for (let digits = 6; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return text;
  }
  return Number(value.toPrecision(9));
}

// The result with its numbers in it again: the schema telescope/flow/1.
function jsonOf() {
  const fill = (value) => {
    if (Array.isArray(value)) return value.map(fill);
    if (!value || typeof value !== "object") return value;
    const { tensor, shape, ...rest } = value;
    const copy = Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, fill(each)]));
    if (tensor && shape && value.axes) copy.values = nested(Array.from(numbersOf(value), number32), shape);
    else if (shape) copy.shape = shape;
    return copy;
  };
  const copy = fill(result);
  delete copy.arrays;
  return JSON.stringify(copy);
}

function nested(values, shape) {
  if (shape.length < 2) return values;
  const size = shape.slice(1).reduce((product, extent) => product * extent, 1);
  return Array.from({ length: shape[0] }, (_, row) =>
    nested(values.slice(row * size, (row + 1) * size), shape.slice(1)));
}
