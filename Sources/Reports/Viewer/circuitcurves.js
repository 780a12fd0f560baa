"use strict";
// Faithfulness and completeness over the number of nodes, every method on one plot.

const toneOf = (index) => `var(--c${index % 8})`;
const isDefined = (value) => value !== undefined && value !== null;
const known = { faithfulness: "faithfulness", completeness: "completeness" };

function firstWith(curve, holds) {
  return curve.points.find(holds)?.nodes;
}

// A logarithmic axis that has a place of its own for no nodes.
function nodeAxis(left, right) {
  const counts = curves.flatMap((curve) => curve.points.map((point) => point.nodes));
  const most = Math.max(1, ...counts), least = Math.min(...counts.filter((count) => count > 0), most);
  const hasNone = counts.some((count) => count === 0);
  const start = left + (hasNone ? 34 : 0), low = Math.log10(least);
  const span = Math.log10(most) - low || 1;
  const x = (count) => count <= 0 ? left : start + (Math.log10(count) - low) / span * (right - start);
  const marks = [];
  for (let power = Math.floor(low); power <= Math.log10(most) + 1e-9; power++) {
    if (10 ** power >= least * 0.999) marks.push(10 ** power);
  }
  if (marks.length < 2) marks.push(...[least, most].filter((count) => !marks.includes(count)));
  return { x, marks: hasNone ? [0, ...marks] : marks };
}

const countText = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u2009");

function drawPlot(host, shown, only) {
  const width = Math.max(260, host.clientWidth), height = width < 560 ? 280 : 350;
  const left = 46, right = width - 16, top = 14, bottom = height - 44;
  const measures = Object.keys(known).filter((key) => shown === "both" || shown === key);
  const values = curves.flatMap((curve) => curve.points.flatMap((point) => measures.map((key) => point[key]).filter(isDefined)));
  // Wild ratios would flatten what matters; they leave the plot at its edge.
  const low = Math.max(-0.6, Math.min(-0.08, ...values)), high = Math.min(1.8, Math.max(1.08, ...values));
  const y = (value) => bottom - (Math.max(low, Math.min(high, value)) - low) / (high - low) * (bottom - top);
  const axis = nodeAxis(left, right);
  const svg = drawing("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${measures.join(" and ")} of ${curves.length} methods over the number of nodes; the table below has the numbers` });
  for (const [value, text] of ticks(low, high, 6)) {
    svg.append(drawing("line", { class: value === 0 || value === 1 ? "ideal" : "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
      drawing("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, text));
  }
  for (const count of axis.marks) {
    svg.append(drawing("line", { class: "grid", x1: axis.x(count), x2: axis.x(count), y1: top, y2: bottom }),
      drawing("text", { x: axis.x(count), y: bottom + 17, "text-anchor": "middle" }, countText(count)));
  }
  svg.append(drawing("text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" }, "nodes in the circuit"));
  const marks = [];
  curves.forEach((curve, index) => {
    for (const key of measures) {
      const points = curve.points.filter((point) => isDefined(point[key]));
      if (!points.length) continue;
      const isQuiet = only !== null && only !== index;
      const line = points.map((point, at) => `${at ? "L" : "M"}${axis.x(point.nodes).toFixed(1)} ${y(point[key]).toFixed(1)}`).join("");
      const group = drawing("g", { class: isQuiet ? "quiet" : "" }, drawing("path", {
        class: "curve" + (key === "completeness" ? " complete" : ""), d: line, style: `stroke:${toneOf(index)}` }));
      for (const point of points) {
        const dot = { x: axis.x(point.nodes), y: y(point[key]) };
        if (!isQuiet) marks.push({ ...dot, curve, index, point, key });
        group.append(drawing("circle", { class: "dot", cx: dot.x.toFixed(1), cy: dot.y.toFixed(1),
          r: key === "completeness" ? 2.4 : 3.2, style: `fill:${toneOf(index)}` }));
      }
      svg.append(group);
    }
  });
  host.replaceChildren(svg);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const near = marks.map((mark) => ({ mark, far: Math.hypot(mark.x - event.clientX + box.left, mark.y - event.clientY + box.top) }))
      .sort((a, b) => a.far - b.far)[0];
    if (!near || near.far > 40) return showTip(event);
    const { point, curve } = near.mark;
    const line = (name, value) => element("div", {}, element("dt", {}, name), element("dd", {}, value));
    const number = (value) => isDefined(value) ? fixed(value, 3, false) : "\u00b7";
    showTip(event, element("p", { class: "who" }, methodName(curve.method)),
      element("dl", {}, line("nodes", `${countText(point.nodes)} \u00b7 ${shareText(point.share)}`),
        line("faithfulness", number(point.faithfulness)), line("completeness", number(point.completeness)),
        line("F(C)", fixed(point.circuit, 4, false)), line("F(M \u2216 C)", fixed(point.complement, 4, false)),
        isDefined(point.threshold) ? line("scores above", String(Number(point.threshold.toPrecision(3)))) : ""));
  });
  svg.addEventListener("pointerleave", (event) => showTip(event));
}

function shareText(share) {
  const digits = share === 0 || share >= 0.1 ? 1 : share >= 0.01 ? 2 : 3;
  return fixed(100 * share, digits, false) + "%";
}

// Areas, sizes and passes of each method; the best of a column is marked.
function curveTable() {
  const number = (value) => isDefined(value) ? fixed(value, 3, false) : "\u00b7";
  const count = (value) => isDefined(value) ? countText(value) : "\u00b7";
  const columns = [
    ["faithful \u2265 0.9", (curve) => firstWith(curve, (point) => isDefined(point.faithfulness) && point.faithfulness >= 0.9), count, -1,
      "nodes of the first circuit with a faithfulness of at least 0.9"],
    ["complete \u2264 0.2", (curve) => firstWith(curve, (point) => isDefined(point.completeness) && point.completeness <= 0.2), count, -1,
      "nodes of the first circuit that leaves a completeness of at most 0.2"],
    ["CMD \u2193", (curve) => curve.areas?.cmd, number, -1, "area between faithfulness and 1"],
    ["CPR \u2191", (curve) => curve.areas?.cpr, number, 1, "area below faithfulness"],
    ["CMD log \u2193", (curve) => curve.areas?.cmd_log, number, -1, "the same on the logarithmic axis"],
    ["CPR log \u2191", (curve) => curve.areas?.cpr_log, number, 1, "the same on the logarithmic axis"],
    ["F(M)", (curve) => curve.full, number, 0, "the metric\u2019s mean with every node"],
    ["F(\u2205)", (curve) => curve.empty, number, 0, "the metric\u2019s mean with none"],
    ["ablation", (curve) => visible(curve.ablation), String, 0, "what stands where a node is not of the circuit"],
    ["selection", (curve) => visible(curve.selection), String, 0, "how nodes are chosen"],
    ["scores took", (curve) => shortPasses(curve.score_passes), String, 0, "passes over one prompt, F forward and B backward"],
    ["curve took", (curve) => shortPasses(curve.curve_passes), String, 0, "passes over all prompts at once, F forward and B backward"],
  ];
  const best = columns.map(([, read, , sign]) => {
    const all = curves.map(read).filter(isDefined);
    return sign && curves.length > 1 && all.length > 1 ? Math.max(...all.map((value) => sign * value)) : null;
  });
  return element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "method"),
    ...columns.map(([name, , , , title]) => element("th", { scope: "col", title }, name)))),
  element("tbody", {}, ...curves.map((curve, index) => {
    const swatch = element("i", { class: "swatch" });
    swatch.style.setProperty("--tone", toneOf(index));
    return element("tr", {}, element("th", { scope: "row" }, swatch, methodName(curve.method)),
      ...columns.map(([, read, show, sign], at) => {
        const value = read(curve);
        return element("td", { class: best[at] !== null && isDefined(value) && sign * value === best[at] ? "best" : null }, show(value));
      }));
  })));
}
