"use strict";
// The numbers: maps are read from base64 when they are first looked at. Everything here counts
// columns (places among the targets) and sources (positions), layers by their place in the result.

const targets = result.parameters.targets;
const heads = result.parameters.heads;
const layers = result.layers;
const sourceCount = result.tokens.length;
const columnCount = targets.length;
const headCount = heads.length;

const stored = new Map();
for (const node of document.querySelectorAll("script[data-name]")) {
  stored.set(node.getAttribute("data-name"), node);
}
const read = new Map();

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

// Little-endian float32, as the page is written; the few machines that are not swap.
function numbersOf(array) {
  if (!array.tensor) return Float32Array.from([array.values].flat(3));
  const known = read.get(array.tensor);
  if (known) return known;
  const node = stored.get(array.tensor);
  const bytes = node ? bytesOf(node.textContent) : new Uint8Array(0);
  const isLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  let numbers;
  if (isLittle) numbers = new Float32Array(bytes.buffer, 0, bytes.length >> 2);
  else {
    const view = new DataView(bytes.buffer);
    numbers = Float32Array.from({ length: bytes.length >> 2 }, (_, at) =>
      view.getFloat32(4 * at, true));
  }
  read.set(array.tensor, numbers);
  return numbers;
}

// A route gives each layer a map of sources and targets. Those made of heads can show one of them.
const routes = {};
function addRoute(key, name, unit, array, options = {}) {
  if (!layers.length || !layers.every((layer) => array(layer))) return;
  routes[key] = { key, name, unit, array, integral: () => null, isHeads: false, ...options };
}
addRoute("layer", "whole layer", "\u2016\u0394z\u2032\u2016", (layer) => layer.layer_flow, {
  integral: (layer) => layer.layer_flow, what: "z \u2192 z\u2032, the whole layer" });
for (const name of Object.keys(layers[0]?.composed || {}).sort()) {
  addRoute("composed." + name, visible(name),
    name === "product" ? "\u2016\u0394u\u2016 \u00b7 \u2016\u0394z\u2032\u2016" : "\u2016\u0394z\u2032\u2016",
    (layer) => (layer.composed || {})[name], { what: `z \u2192 u \u2192 z\u2032, ${visible(name)} composition` });
}
addRoute("heads", "through heads", "\u2016\u0394z\u2032\u2016",
  (layer) => layer.heads && layer.heads.conductance, {
    isHeads: true, what: "z \u2192 u \u2192 z\u2032 on the layer\u2019s own path" });
addRoute("attention", "attention", "\u2016\u0394u\u2016", (layer) => layer.attention_flow, {
  isHeads: true, integral: (layer) => layer.attention_flow, what: "z \u2192 u" });

// One map with what a picture of it needs: sums, sums of sizes, the largest size and share.
function measured(values, rows = sourceCount) {
  const sums = new Float64Array(columnCount), sizes = new Float64Array(columnCount);
  let largest = 0;
  for (let at = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columnCount; column++, at++) {
      const value = values[at], size = value < 0 ? -value : value;
      sums[column] += value;
      sizes[column] += size;
      if (size > largest) largest = size;
    }
  }
  let share = 0;
  for (let at = 0; at < values.length; at++) {
    const size = sizes[at % columnCount];
    if (size > 0) share = Math.max(share, Math.abs(values[at]) / size);
  }
  return { values, rows, sums, sizes, largest, share };
}

const maps = new Map();

// head is the place of one head, or null for all of them together.
function mapOf(key, place, head = null) {
  const route = routes[key];
  const name = `${key} ${place} ${route.isHeads ? head : ""}`;
  let map = maps.get(name);
  if (!map) {
    const numbers = numbersOf(route.array(layers[place]));
    map = measured(route.isHeads ? overHeads(numbers, head) : numbers);
    maps.set(name, map);
  }
  return map;
}

function overHeads(numbers, head) {
  const values = new Float32Array(sourceCount * columnCount);
  for (let cell = 0, at = 0; cell < values.length; cell++, at += headCount) {
    if (head !== null) values[cell] = numbers[at + head];
    else {
      let sum = 0;
      for (let each = 0; each < headCount; each++) sum += numbers[at + each];
      values[cell] = sum;
    }
  }
  return values;
}

// a - b, cell by cell, of the numbers or of their shares of the column.
function difference(a, b, isShare) {
  const values = new Float32Array(a.values.length);
  for (let at = 0; at < values.length; at++) {
    const column = at % columnCount;
    values[at] = isShare
      ? (a.sizes[column] ? a.values[at] / a.sizes[column] : 0)
        - (b.sizes[column] ? b.values[at] / b.sizes[column] : 0)
      : a.values[at] - b.values[at];
  }
  return measured(values);
}

function agreementOf(a, b, isShare) {
  let apart = 0, first = 0, second = 0, inner = 0;
  for (let at = 0; at < a.values.length; at++) {
    const column = at % columnCount;
    const x = isShare ? a.values[at] / (a.sizes[column] || 1) : a.values[at];
    const y = isShare ? b.values[at] / (b.sizes[column] || 1) : b.values[at];
    apart += (x - y) ** 2;
    first += x * x;
    second += y * y;
    inner += x * y;
  }
  return { relative: first ? Math.sqrt(apart / first) : null,
    cosine: first && second ? inner / Math.sqrt(first * second) : null };
}

// What a column should sum to, and by how much it misses it: of several heads the sum and the worst.
function totalOf(route, place, column, head, map) {
  const integral = route.integral(layers[place]);
  if (!integral) return { total: map.sums[column], error: null, nodes: null, isOpen: false };
  const pick = (list) => {
    const value = list[column];
    if (!Array.isArray(value)) return [value];
    return head === null ? value : [value[head]];
  };
  return { total: pick(integral.totals).reduce((sum, each) => sum + each, 0),
    error: Math.max(...pick(integral.completeness_error)), nodes: integral.nodes[column],
    isOpen: integral.unconverged.includes(targets[column]) };
}

function nameOf(position) { return position + " " + tokenName(result.tokens[position]); }

// Four digits of the largest number of a list.
function decimalsFor(largest) {
  if (!(largest > 0)) return 2;
  return Math.max(1, Math.min(11, 3 - Math.floor(Math.log10(largest))));
}
