"use strict";
// Beside the attribution: what the model does when a part is replaced, and what other paths and
// baselines say.

const checkNames = {
  layer: "layers", attention: "attention", mlp: "MLP", head: "heads", neurons: "neurons",
};
const checkLimit = 12;

function checkedName(row) {
  const layer = layerName(row.layer);
  if (row.kind === "head") return `${layer} head ${row.head}`;
  if (row.kind !== "neurons") return layer;
  const list = row.neurons || [];
  return list.length === 1 ? `${layer} neuron ${list[0]}` : `${layer}, ${list.length} neurons`;
}

function choices(host, name, options, chosen, choose) {
  host.replaceChildren(...options.map(([value, text]) => {
    const input = element("input", { type: "radio", name, value });
    input.checked = value === chosen;
    input.addEventListener("change", () => choose(value));
    return element("label", {}, input, element("span", {}, text));
  }));
  host.hidden = options.length < 2;
}

function showChecks() {
  const host = byId("checks");
  const checks = explanations.length ? explanations[state.token].checks || [] : [];
  host.hidden = !checks.length;
  if (!checks.length) return;
  if (!(state.check < checks.length)) state.check = 0;
  const check = checks[state.check];
  const kindList = Object.keys(checkNames).filter((kind) =>
    check.rows.some((row) => row.kind === kind));
  if (!kindList.includes(state.kind)) state.kind = kindList[0];
  const by = { mean: "its mean", zero: "zero", resample: "another sample" };
  const scopes = new Set(checks.map((one) => one.scope));
  const nameOf = (one) => by[one.replacement]
    + (scopes.size > 1 ? one.scope === "all" ? ", everywhere" : ", here" : "");
  choices(byId("checkby"), "checkby", checks.map((one, index) => [String(index), nameOf(one)]),
    String(state.check), (value) => { state.check = Number(value); state.allChecks = false; showChecks(); });
  choices(byId("checkkind"), "checkkind", kindList.map((kind) => [kind, checkNames[kind]]),
    state.kind, (value) => { state.kind = value; state.allChecks = false; showChecks(); });
  const where = check.scope === "all" ? "at every position" : "at the explained position";
  byId("checktitle").textContent = `Replaced by ${sampleName(check) || by[check.replacement]} ${where}`;
  const rows = check.rows.filter((row) => row.kind === state.kind)
    .sort((a, b) => weightOf(b) - weightOf(a));
  const agreement = check.agreement.find((one) => one.kind === state.kind);
  const terms = [`${rows.length} ${rows.length === 1 ? "part" : "parts"}`];
  if (agreement && agreement.spearman !== undefined) {
    terms.push(`Spearman ${fixed(agreement.spearman, 2, false)}`);
  }
  if (agreement && agreement.sign_agreement !== undefined) {
    terms.push(`signs agree ${Math.floor(agreement.sign_agreement * 100)}\u2009%`);
  }
  byId("agreement").replaceChildren(...terms.flatMap((text) => [element("span", {}, text), " "]));
  drawScatter(byId("scatter"), rows);
  showCheckTable(rows, kinds[state.token]);
}

// Where a resample is from.
function sampleName(check) {
  if (!check.source) return "";
  const { text, position } = check.source;
  const token = text === undefined ? result.tokens[position] : undefined;
  return token ? `the value at ${tokenName(token)} (${position})`
    : `the value at position ${position}` + (text === undefined ? "" : ` of reference text ${text}`);
}

function weightOf(row) { return Math.max(Math.abs(row.predicted), Math.abs(row.actual)); }

// Predicted across, actual up, on one scale: what the attribution gets right lies on the diagonal.
function drawScatter(host, rows) {
  const size = 300, left = 52, right = 8, top = 10, bottom = 38;
  const all = rows.flatMap((row) => [row.predicted, row.actual]);
  let low = Math.min(0, ...all), high = Math.max(0, ...all);
  if (!(high > low)) high = low + 1;
  const pad = (high - low) * 0.06;
  low -= pad;
  high += pad;
  const x = (value) => left + (size - left - right) * (value - low) / (high - low);
  const y = (value) => top + (size - top - bottom) * (high - value) / (high - low);
  const chart = drawing("svg", {
    viewBox: `0 0 ${size} ${size}`, role: "img",
    "aria-label": "Predicted change across, actual change up. The table beside it has the numbers.",
  });
  const add = (name, attributes, text) => {
    const node = drawing(name, attributes);
    if (text !== undefined) node.textContent = text;
    chart.append(node);
    return node;
  };
  for (const [value, text] of ticks(low, high, 4)) {
    const name = value === 0 ? "axis" : "grid";
    add("line", { class: name, x1: x(value), x2: x(value), y1: top, y2: size - bottom });
    add("line", { class: name, x1: left, x2: size - right, y1: y(value), y2: y(value) });
    add("text", { class: "tick", x: x(value), y: size - bottom + 15, "text-anchor": "middle" }, text);
    add("text", { class: "tick", x: left - 7, y: y(value) + 4, "text-anchor": "end" }, text);
  }
  add("line", { class: "diagonal", x1: x(low), y1: y(low), x2: x(high), y2: y(high) });
  add("text", { class: "tick", x: (left + size - right) / 2, y: size - 5, "text-anchor": "middle" },
    "predicted");
  add("text", {
    class: "tick", "text-anchor": "middle",
    transform: `translate(11 ${(top + size - bottom) / 2}) rotate(-90)`,
  }, "actual");
  // The heaviest last, so that none hides it. A diamond where the signs differ.
  for (let index = Math.min(rows.length, 4000) - 1; index >= 0; index--) {
    const row = rows[index];
    const [cx, cy] = [x(row.predicted), y(row.actual)];
    const isApart = Math.sign(row.predicted) * Math.sign(row.actual) < 0;
    const mark = add("path", {
      class: isApart ? "mark apart" : "mark", "data-row": index,
      d: isApart ? `M${cx - 5} ${cy}L${cx} ${cy - 5}L${cx + 5} ${cy}L${cx} ${cy + 5}Z`
        : `M${cx - 4} ${cy}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z`,
    });
    mark.append(drawing("title", {}));
    mark.firstChild.textContent = checkedName(row);
  }
  host.replaceChildren(chart);
}

function showCheckTable(rows, quantity) {
  const shown = rows.slice(0, state.allChecks ? 2000 : checkLimit);
  const values = shown.flatMap((row) => [row.predicted, row.actual]);
  const low = Math.min(0, ...values), high = Math.max(0, ...values);
  const span = high > low ? high - low : 1;
  const bar = (value, name) => {
    const line = element("i", { class: `${name} ${value < 0 ? "loss" : "gain"}` });
    Object.assign(line.style, {
      left: `${(Math.min(0, value) - low) / span * 100}%`,
      width: `max(1px, ${Math.abs(value) / span * 100}%)`,
    });
    return line;
  };
  const body = shown.map((row, index) => {
    const twin = element("div", { class: "twin", "aria-hidden": "true" },
      bar(row.predicted, "predicted"), bar(row.actual, "actual"));
    twin.style.setProperty("--zero", `${-low / span * 100}%`);
    return element("tr", { "data-row": index, class: row.predicted * row.actual < 0 ? "apart" : null },
      element("th", { scope: "row", title: row.neurons ? row.neurons.slice(0, 200).join(", ") : null },
        checkedName(row)),
      element("td", {}, fixed(row.predicted, quantity.decimals, true)),
      element("td", {}, fixed(row.actual, quantity.decimals, true)),
      element("td", {}, quantity.change(row.actual, row.predicted)), element("td", {}, twin));
  });
  const rest = rows.length - shown.length;
  if (rest > 0) {
    const more = element("button", { type: "button", class: "all" }, `others: ${rest} parts`);
    more.addEventListener("click", () => { state.allChecks = true; showChecks(); });
    body.push(element("tr", {}, element("td", { colspan: 5 }, state.allChecks ? `others: ${rest} parts` : more)));
  }
  byId("checktable").replaceChildren(element("table", {},
    element("caption", { class: "unseen" }, "Predicted and actual change of the largest parts"),
    element("thead", {}, element("tr", {}, ...["part", "predicted", "actual", "gap"].map((text) =>
      element("th", { scope: "col" }, text)),
    element("th", { scope: "col" }, element("span", { class: "twinkey" },
      element("i", { class: "predicted" }), "predicted", element("i", { class: "actual" }), "actual")))),
    element("tbody", {}, ...body)));
}

// A row and its mark light up together.
function listenToChecks() {
  const light = (event) => {
    const row = event.target.closest?.("[data-row]")?.dataset.row;
    for (const node of byId("checks").querySelectorAll(".on")) node.classList.remove("on");
    if (row === undefined) return;
    for (const node of byId("checks").querySelectorAll(`[data-row="${row}"]`)) node.classList.add("on");
  };
  byId("checks").addEventListener("pointerover", light);
  byId("checks").addEventListener("pointerleave", light);
}

// The other ways to split the same prediction, and how far they agree with the one drawn above.
function showOthers() {
  const explanation = explanations[state.token];
  const others = explanation && explanation.alternatives || [];
  byId("others").hidden = !others.length;
  if (!others.length) return;
  const known = new Set(others.map((other) => `${other.path}/${other.baseline}`));
  const main = (explanation.rank_correlations || []).flatMap((pair) => [pair.first, pair.second])
    .find((name) => !known.has(name)) || `${result.method.path}/${result.method.baseline}`;
  const share = (list) => list && list.length
    ? `${Math.floor(list.filter(Boolean).length * 100 / list.length)}\u2009%` : "";
  const correlation = (name) => (explanation.rank_correlations || []).find((pair) =>
    (pair.first === main && pair.second === name) || (pair.first === name && pair.second === main));
  const rows = [[visible(main), "1.00", share(explanation.attributions.map((layer) => layer.converged)
    .filter((met) => met !== undefined)), tiny(explanation.certificate), ""]];
  for (const other of others) {
    const name = `${other.path}/${other.baseline}`;
    const rank = correlation(name)?.spearman;
    const error = other.standard_errors && Math.max(...other.standard_errors);
    rows.push([visible(name), rank === undefined ? "\u2013" : fixed(rank, 2, false),
      share(other.converged), tiny(other.certificate),
      error === undefined ? "" : "\u2264 " + error.toExponential(1).replace("-", minus)]);
  }
  const heads = ["path/baseline", "rank correlation", "layers converged", "certificate", "standard error"]
    .filter((_, column) => rows.some((row) => row[column]));
  const keep = rows[0].map((_, column) => rows.some((row) => row[column]));
  byId("otherstable").replaceChildren(element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((text) =>
      element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map((row, index) => element("tr", { class: index ? null : "main" },
      ...row.filter((_, column) => keep[column]).map((text, column) => column
        ? element("td", { class: text.endsWith("%") && text !== "100\u2009%" ? "doubt" : null }, text)
        : element("th", { scope: "row" }, text)))))));
}
