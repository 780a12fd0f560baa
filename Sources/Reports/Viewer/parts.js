"use strict";
// What the selected layer is made of, one list at a time: layer, attention and MLP, heads and
// neurons, source tokens. The way back stands above the list and the sum below it.

const partNames = {
  attention: "attention", mlp: "MLP", bias: "bias", embedding: `embedding ${minus} baseline`,
  mean: "mean update, taken back", translator: "translator", residual: "what the block leaves",
  mixer: "mixer", others: "others",
};
const manyNames = { head: "heads", neuron: "neurons", source: "tokens", expert: "experts" };
const partLimit = 14;

function partName(node, layer) {
  const block = node.layer >= 0 && node.layer !== layer ? `layer ${node.layer} ` : "";
  if (node.kind === "head") return `${block}head ${node.head}`;
  if (node.kind === "neuron") return `${block}neuron ${node.neuron}`;
  if (node.kind === "expert") return `${block}expert ${node.expert ?? "?"}`;
  if (node.kind === "source") {
    const token = result.tokens[node.source];
    return token ? tokenName(token) : `position ${node.source}`;
  }
  return block + (partNames[node.kind] || visible(String(node.kind)));
}

// Whole units that add up to a total: each within one unit of its value, where the values add up.
function apportioned(values, total, decimals) {
  const found = values.map((value) => units(value, decimals));
  const missing = total - found.reduce((sum, unit) => sum + unit, 0);
  if (missing === 0 || !found.length || !(Math.abs(missing) < 2 ** 52)) return found;
  const step = Math.sign(missing);
  const lost = values.map((value, index) => (value * 10 ** decimals - found[index]) * step);
  const order = found.map((_, index) => index).sort((a, b) => lost[b] - lost[a] || a - b);
  const each = Math.floor(Math.abs(missing) / found.length);
  const more = Math.abs(missing) - each * found.length;
  order.forEach((index, place) => { found[index] += step * (each + (place < more ? 1 : 0)); });
  return found;
}

function missOf(node) {
  const found = node.value - node.children.reduce((sum, child) => sum + child.value, 0);
  const recorded = node.residual ?? found;
  return Math.abs(found - recorded) > 1e-7 * (1 + Math.abs(node.value)) ? found : recorded;
}

// The rows of a list: the largest of what there are many of, then what a block always has; one row
// holds the rest. The digits of the rows add up to those of the node.
function partRows(node, total, decimals, isAll) {
  const all = node.children.map((child, index) => ({ child, index }));
  const isMany = (row) => manyNames[row.child.kind] !== undefined;
  const size = (row) => Math.abs(row.child.value);
  const fixedKinds = all.filter((row) => !isMany(row) && row.child.kind !== "others");
  const ranked = all.filter(isMany).sort((a, b) => size(b) - size(a) || a.index - b.index);
  const rows = [...ranked, ...fixedKinds];
  const limit = isAll ? 5000 : Math.max(partLimit, fixedKinds.length);
  const shown = rows.length <= limit ? rows
    : [...ranked.slice(0, limit - fixedKinds.length), ...fixedKinds];
  const folded = ranked.slice(shown.length - fixedKinds.length);
  const rest = all.filter((row) => row.child.kind === "others");
  const values = shown.map((row) => row.child.value);
  if (folded.length + rest.length) {
    values.push([...folded, ...rest].reduce((sum, row) => sum + row.child.value, 0));
  }
  const miss = missOf(node);
  const isMiss = units(miss, decimals) !== 0;
  if (isMiss) values.push(miss);
  const digits = apportioned(values, total, decimals);
  const list = shown.map((row, place) => ({
    ...row, name: partName(row.child, node.layer), value: row.child.value, units: digits[place],
    isOpen: Boolean(row.child.children && row.child.children.length),
  }));
  if (folded.length + rest.length) {
    const kind = folded.length ? manyNames[folded[0].child.kind] : "";
    const name = folded.length && !rest.length ? `others (${folded.length} ${kind})` : "others";
    list.push({ name, value: values[shown.length], units: digits[shown.length], folded: folded.length });
  }
  if (isMiss) {
    list.push({ name: "residual", value: miss, units: digits[digits.length - 1], isMiss: true });
  }
  return { list, miss };
}

// From the layer down to the part that is open, each with its digits as its parent shows them.
function trailOf(explanation, index, quantity) {
  const layer = explanation.attributions[index];
  const node = (part, name, total) => ({
    name, total, value: part.value, residual: part.residual, children: part.children || [],
    layer: part.layer, kind: part.kind, source: part.source,
  });
  const parts = layer.parts || [];
  const largest = Math.max(Math.abs(layer.value), ...parts.map((part) => Math.abs(part.value)));
  const decimals = largest > 0 ? Math.min(12, Math.max(quantity.decimals,
    4 - Math.floor(Math.log10(largest)))) : quantity.decimals;
  const levels = levelsOf(explanation);
  const total = decimals === quantity.decimals
    ? units(levels[index + 1], decimals) - units(levels[index], decimals)
    : units(layer.value, decimals);
  const trail = [node({ ...layer, children: parts }, layerName(layer.layer), total)];
  for (const step of state.path) {
    const last = trail[trail.length - 1];
    const find = (isAll) => partRows(last, last.total, decimals, isAll).list
      .find((row) => row.index === step);
    const row = find(false) || find(true);
    if (!row || !row.isOpen) break;
    trail.push(node(row.child, row.name, row.units));
  }
  state.path = state.path.slice(0, trail.length - 1);
  return { trail, decimals };
}

function showParts() {
  const explanation = explanations[state.token];
  const host = byId("parts");
  host.hidden = !explanations.some((one) => one.attributions.some((layer) =>
    layer.parts && layer.parts.length));
  if (host.hidden || !explanation.attributions.length) return;
  const layer = explanation.attributions[state.layer];
  const { trail, decimals } = trailOf(explanation, state.layer, kinds[state.token]);
  const node = trail[trail.length - 1];
  const show = (count) => fixed(count / 10 ** decimals, decimals, true);
  const crumbs = trail.map((step, depth) => depth + 1 < trail.length
    ? element("button", { type: "button", "data-depth": depth }, step.name)
    : element("span", { "aria-current": "true" }, step.name));
  byId("crumbs").replaceChildren(...crumbs);
  const doubt = layer.converged === false
    ? element("p", { class: "doubt" }, `The integral of this layer did not converge`
      + (layer.nodes === undefined ? "" : ` in ${layer.nodes} nodes`)
      + ": its parts are less certain than the tolerance asks.") : null;
  if (!node.children.length) {
    byId("partlist").replaceChildren(element("li", { class: "none" }, "This layer was not split."));
    byId("partsum").replaceChildren();
    byId("partsource").hidden = true;
    return;
  }
  const { list, miss } = partRows(node, node.total, decimals, state.all);
  const low = Math.min(0, ...list.map((row) => row.value));
  const high = Math.max(0, ...list.map((row) => row.value));
  const span = high > low ? high - low : 1;
  byId("partlist").style.setProperty("--zero", `${-low / span * 100}%`);
  byId("partlist").replaceChildren(...list.map((row) =>
    partLine(row, show(row.units), node, low, span)));
  byId("partsum").replaceChildren(...[doubt, element("p", {},
    element("b", {}, `\u03a3 ${show(node.total)}`), ` = ${node.name} `,
    element("span", {}, `residual ${tiny(miss)}`), " ",
    layer.nodes === undefined ? null : element("span", {}, `integral ${layer.nodes} nodes`
      + (layer.converged === undefined ? "" : layer.converged ? ", converged" : ", not converged")),
  )].filter(Boolean));
  showSources(explanation, node, decimals);
}

function partLine(row, digits, node, low, span) {
  const share = node.value !== 0 ? row.value / node.value * 100 : NaN;
  const shareText = Number.isFinite(share) && Math.abs(share) < 9999.5
    ? fixed(share, 0, false) + "\u2009%" : "";
  const position = row.child && row.child.kind === "source"
    ? element("small", {}, String(row.child.source)) : null;
  const bar = element("span", { class: "bar" }, element("i", { class: row.value < 0 ? "loss" : "gain" }));
  const from = Math.min(0, row.value);
  Object.assign(bar.firstChild.style, {
    left: `${(from - low) / span * 100}%`, width: `${Math.abs(row.value) / span * 100}%`,
  });
  const canOpen = row.isOpen || row.folded;
  const line = element(canOpen ? "button" : "div", {
    class: row.isMiss ? "part miss" : row.child ? "part" : "part rest",
    type: canOpen ? "button" : null, tabindex: canOpen ? null : -1,
    "data-part": row.isOpen ? row.index : null, "data-all": row.folded ? "yes" : null,
    "aria-label": `${row.name} ${digits}${shareText ? `, ${shareText} of ${node.name}` : ""}`
      + (row.isOpen ? `, has ${row.child.children.length} parts` : row.folded ? ", show all" : ""),
  }, element("span", { class: "name" }, row.name, position), bar,
  element("span", { class: row.value < 0 ? "number loss" : "number gain" }, digits),
  element("span", { class: "share" }, shareText),
  element("span", { class: "more", "aria-hidden": "true" }, row.isOpen ? "\u203a" : row.folded ? "+" : ""));
  return element("li", {}, line);
}

// The text, each token coloured by what the heads below this part carry from it.
function showSources(explanation, node, decimals) {
  const values = new Map();
  let heads = 0;
  const walk = (part) => {
    if (part.kind === "source") values.set(part.source, (values.get(part.source) || 0) + part.value);
    else {
      if (part.kind === "head") heads++;
      (part.children || []).forEach(walk);
    }
  };
  walk({ ...node, kind: node.kind || "layer" });
  const host = byId("partsource");
  host.hidden = !values.size;
  // Of one head the text says most; of a layer or its attention, the parts do.
  byId("parts").classList.toggle("textfirst", node.kind === "head");
  if (!values.size) return;
  const sum = [...values.values()].reduce((total, value) => total + value, 0);
  const largest = Math.max(...[...values.values()].map(Math.abs)) || 1;
  const text = fixed(sum, decimals, true);
  const title = heads > 1
    ? `What the ${heads} heads here carry from each token: \u03a3 ${text}`
    : `What ${node.name} carries from each token`;
  const last = Math.max(explanation.position, ...values.keys());
  const words = result.tokens.slice(0, last + 1).flatMap((token, position) => {
    const value = values.get(position);
    const shown = token.bytes ? tokenName(token) : visible(token.text);
    if (value === undefined) return [element("span", { class: "unread" }, shown)];
    const word = element("span", {
      class: value < 0 ? "word loss" : "word gain",
      title: `${tokenName(token)} (${position}) ${fixed(value, decimals, true)}`,
    }, shown);
    word.style.setProperty("--share", Math.sqrt(Math.abs(value) / largest).toFixed(3));
    return token.text.includes("\n") ? [word, element("br")] : [word];
  });
  host.replaceChildren(element("h3", {}, title), element("div", { class: "words" }, ...words));
}

// Down into a part, up again, and along the list.
function openPart(index) {
  state.path = [...state.path, index];
  state.all = false;
  partChanged();
}

function closePart(depth) {
  if (!state.path.length) return;
  const left = state.path[depth];
  state.path = state.path.slice(0, depth);
  state.all = false;
  partChanged(left);
}

function partChanged(left) {
  showParts();
  remember();
  const lines = [...byId("partlist").querySelectorAll(".part")];
  const at = lines.find((line) => line.dataset.part === String(left)) || lines[0];
  at?.focus({ preventScroll: true });
}

function listenToParts() {
  byId("parts").addEventListener("click", (event) => {
    const node = event.target.closest("[data-part], [data-depth], [data-all]");
    if (!node) return;
    if (node.dataset.part !== undefined) openPart(Number(node.dataset.part));
    else if (node.dataset.depth !== undefined) closePart(Number(node.dataset.depth));
    else {
      const seen = byId("partlist").children.length - 1;
      state.all = true;
      showParts();
      byId("partlist").querySelectorAll(".part")[seen]?.focus();
    }
  });
  byId("parts").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const lines = [...byId("partlist").querySelectorAll(".part")];
    const at = lines.indexOf(event.target.closest(".part"));
    const moves = {
      ArrowDown: () => lines[Math.min(lines.length - 1, at + 1)]?.focus(),
      ArrowUp: () => lines[Math.max(0, at - 1)]?.focus(),
      Home: () => lines[0]?.focus(), End: () => lines[lines.length - 1]?.focus(),
      ArrowRight: () => at >= 0 && lines[at].dataset.part !== undefined
        && openPart(Number(lines[at].dataset.part)),
      ArrowLeft: () => state.path.length ? closePart(state.path.length - 1)
        : byId("waterfall").focus({ preventScroll: true }),
      Escape: () => byId("waterfall").focus({ preventScroll: true }),
    };
    moves.Backspace = moves.ArrowLeft;
    if (!moves[event.key]) return;
    event.preventDefault();
    // The list is drawn anew: by the time the page hears of the key, its line is no longer in it.
    event.stopPropagation();
    moves[event.key]();
  });
}
