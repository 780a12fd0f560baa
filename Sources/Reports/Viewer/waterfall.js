"use strict";
// The horizontal plan that the waterfall and the heat map share, so that a layer stands in one
// column through both: a gutter, the baseline, the layers, the model.
function planOf(width, count) {
  const gutter = width < 560 ? 66 : width < 820 ? 96 : 124;
  const base = width < 560 ? 20 : 34;
  const model = width < 560 ? 40 : 58;
  const slot = Math.max(1, (width - gutter - base - model) / Math.max(1, count));
  const start = gutter + base;
  return {
    width, gutter, base, model, slot, count, start,
    end: start + slot * count,
    center: (index) => index < 0 ? gutter + base / 2
      : index >= count ? start + slot * count + model / 2 : start + slot * (index + 0.5),
    at: (x) => Math.floor((x - start) / slot),
  };
}

// Layer numbers under or over columns, as many as fit.
function layerLabels(plan, layers) {
  const every = [1, 2, 3, 4, 5, 10, 20, 25, 50].find((n) => n * plan.slot >= 25) || 100;
  const last = layers.length - 1;
  return layers.map((layer, index) => {
    const isShown = index === last || (layer >= 0 && index % every === 0
      && (last - index) * plan.slot >= 22) || (layer < 0 && plan.slot >= 20);
    return isShown ? (layer < 0 ? "emb" : String(layer)) : "";
  });
}

function drawWaterfall(host, explanation, quantity, state) {
  const width = host.clientWidth;
  const height = width < 560 ? 250 : 320;
  const top = 40, bottom = 30;
  const layers = explanation.attributions;
  const plan = planOf(width, layers.length);
  const levels = levelsOf(explanation);
  const all = [...levels, explanation.model_value, ...layers.map((layer) => layer.lens)];
  for (const layer of layers) {
    if (layer.contrast_lens !== undefined) all.push(layer.contrast_lens);
  }
  // What the other paths and baselines say of each layer, from where its bar starts.
  const reach = layers.map((layer, index) => layer.low === undefined || layer.high === undefined
    ? null : [levels[index] + layer.low, levels[index] + layer.high]);
  all.push(...reach.filter(Boolean).flat());
  if (quantity.zero) all.push(0);
  let low = Math.min(...all), high = Math.max(...all);
  if (!(high > low)) high = low + 1;
  if (low !== 0) low -= (high - low) * 0.03;
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
  const origin = low <= 0 && high >= 0 ? y(0) : height - bottom;
  const chart = drawing("svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true",
  });
  const add = (name, attributes, text) => {
    const node = drawing(name, attributes);
    if (text !== undefined) node.textContent = text;
    chart.append(node);
    return node;
  };

  for (const [value, text] of ticks(low, high, width < 560 ? 4 : 5)) {
    const at = Math.round(y(value)) + 0.5;
    add("line", {
      class: value === 0 ? "axis" : "grid", x1: plan.gutter, x2: width, y1: at, y2: at,
    });
    add("text", { class: "tick", x: plan.gutter - 8, y: at + 4, "text-anchor": "end" }, text);
  }

  const selected = state.layer;
  if (selected >= 0 && selected < layers.length) {
    add("rect", {
      class: "crosshair", x: plan.start + selected * plan.slot, width: plan.slot,
      y: top - 14, height: height - top - bottom + 14,
    });
  }
  const onset = layers.findIndex((layer) => layer.layer === explanation.onset_layer);
  if (onset >= 0) {
    const x = plan.start + onset * plan.slot;
    add("line", { class: "onset", x1: x, x2: x, y1: 4, y2: height - bottom });
    const isRight = x < plan.gutter + 90;
    add("text", {
      class: "onsetlabel", x: x + (isRight ? 5 : -5), y: 13,
      "text-anchor": isRight ? "start" : "end",
    }, "onset " + (explanation.onset_layer < 0 ? "embedding" : explanation.onset_layer));
  }

  const bar = Math.max(1, Math.min(30, plan.slot * 0.74));
  const total = (index, value, name) => {
    const thick = Math.min(26, Math.max(8, bar), plan.base - 6);
    add("rect", {
      class: name, x: plan.center(index) - thick / 2, width: thick,
      y: Math.min(y(value), origin), height: Math.max(1.5, Math.abs(y(value) - origin)),
    });
  };
  // Connectors first, so that bars lie on them.
  for (let index = 0; index <= layers.length; index++) {
    add("line", {
      class: "connector", x1: plan.center(index - 1), x2: plan.center(index),
      y1: y(levels[index]), y2: y(levels[index]),
    });
  }
  total(-1, explanation.baseline_value, "total");
  layers.forEach((layer, index) => {
    const from = y(levels[index]), to = y(levels[index + 1]);
    add("rect", {
      class: layer.value < 0 ? "loss" : "gain", x: plan.center(index) - bar / 2, width: bar,
      y: Math.min(from, to), height: Math.max(1.5, Math.abs(from - to)), rx: bar > 8 ? 1.5 : 0,
    });
  });
  total(layers.length, explanation.model_value, "total model");
  reach.forEach((ends, index) => {
    if (!ends || Math.abs(y(ends[0]) - y(ends[1])) < 1) return;
    const x = plan.center(index), cap = Math.max(1.5, Math.min(5, bar / 3));
    add("path", {
      class: "whisker",
      d: `M${x - cap} ${y(ends[0])}h${2 * cap}M${x} ${y(ends[0])}V${y(ends[1])}M${x - cap} ${y(ends[1])}h${2 * cap}`,
    });
  });

  if (layers.some((layer) => layer.contrast_lens !== undefined)) {
    const points = layers.map((layer, index) => layer.contrast_lens === undefined ? ""
      : `${plan.center(index)},${y(layer.contrast_lens)}`).join(" ");
    add("polyline", { class: "contrastline", points });
  }
  const dot = Math.min(3, Math.max(1.4, plan.slot / 7));
  layers.forEach((layer, index) => {
    add("circle", { class: "lens", cx: plan.center(index), cy: y(layer.lens), r: dot });
  });

  layers.forEach((layer, index) => {
    if (layer.converged !== false) return;
    const x = plan.center(index), foot = height - bottom + 10;
    const half = Math.max(2, Math.min(5, plan.slot / 2 - 0.5));
    add("path", { class: "doubtful", d: `M${x} ${foot - 8}L${x + half} ${foot}H${x - half}Z` });
  });

  // The largest changes carry their number, as long as the numbers do not touch.
  const range = high - low;
  const taken = [];
  const order = layers.map((_, index) => index)
    .sort((a, b) => Math.abs(layers[b].value) - Math.abs(layers[a].value));
  for (const index of order) {
    if (taken.length >= 8 || Math.abs(layers[index].value) < range * 0.03) break;
    const x = plan.center(index);
    const isUp = layers[index].value >= 0;
    const ends = reach[index] || [levels[index], levels[index]];
    const at = isUp ? y(Math.max(levels[index], levels[index + 1], ...ends)) - 7
      : y(Math.min(levels[index], levels[index + 1], ...ends)) + 14;
    if (at < 10 || at > height - bottom - 2) continue;
    if (taken.some(([a, b]) => Math.abs(a - x) < 46 && Math.abs(b - at) < 14)) continue;
    if (onset >= 0 && Math.abs(at - 13) < 12 && x < plan.start + onset * plan.slot
      && x > plan.start + onset * plan.slot - 90) continue;
    taken.push([x, at]);
    add("text", {
      class: isUp ? "gainlabel" : "losslabel", x, y: at, "text-anchor": "middle",
    }, fixed(layers[index].value, Math.max(0, quantity.decimals - 2), true));
  }

  const labels = layerLabels(plan, layers.map((layer) => layer.layer));
  labels.forEach((text, index) => {
    if (!text) return;
    add("text", {
      class: index === selected ? "tick strong" : "tick", x: plan.center(index), y: height - 6,
      "text-anchor": "middle",
    }, text);
  });
  const isNarrow = width < 560;
  add("text", {
    class: "tick", x: plan.center(-1), y: height - 6, "text-anchor": isNarrow ? "end" : "middle",
  }, "base");
  add("text", {
    class: "tick strong", x: plan.center(layers.length), y: height - 6, "text-anchor": "middle",
  }, isNarrow ? "out" : "model");
  host.replaceChildren(chart);
  return plan;
}
