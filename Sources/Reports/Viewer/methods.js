"use strict";
// What was attributed and how, in words: the head of pages of attributions and circuits.

const numberOfPasses = (count) => fixed(count, 2, false).replace(/\.?0+$/, "");
const shortPasses = (passes) => `${numberOfPasses(passes.forward)} F ${numberOfPasses(passes.backward)} B`;
const passesText = (passes) => `${numberOfPasses(passes.forward)} forward, ${numberOfPasses(passes.backward)} backward`;

// The name, then every choice that decides the numbers.
function methodPhrases(method) {
  const list = [["method", method.name]];
  if (method.path) list.push(["path", method.path]);
  if (method.baseline) list.push(["from", method.baseline]);
  const to = method.tolerance ? ` to ${method.tolerance}` : "";
  if (method.quadrature) list.push(["integral", method.quadrature + (method.steps ? " " + method.steps : "") + to]);
  else if (method.steps || to) list.push(["steps", (method.steps ?? "") + to]);
  if (method.estimator) list.push(["weighed by", method.estimator]);
  if (method.rules) list.push(["rules", method.rules]);
  if (method.linearised_at) list.push(["linear at", method.linearised_at]);
  if (method.seed !== undefined) list.push(["seed", String(method.seed)]);
  return list;
}

const methodName = (method) => methodPhrases(method).map(([name, value], index) =>
  visible(index && name !== "integral" ? `${name} ${value}` : value)).join(" \u00b7 ");

function showParameters(more = []) {
  const { model } = result;
  const list = [["model", model.name, model.name], ["sha256", model.sha256.slice(0, 12), model.sha256],
    ["dtype", `${model.dtype} on ${result.device}`], ...methodPhrases(result.method), ...more,
    ["passes", passesText(result.passes)], ["version", result.tool_version]];
  byId("parameters").append(...list.map(([name, value, title]) =>
    element("div", {}, element("dt", {}, name), element("dd", { title: title && visible(title) }, visible(value)))));
}

function showWarnings() {
  if (!result.warnings.length) return;
  byId("warnings").hidden = false;
  byId("warnings").append(...result.warnings.map((text) => element("p", {}, visible(text))));
}

const metricNames = { ...Object.fromEntries(Object.entries(quantities).map(([key, [, name]]) => [key, name])),
  "logprob-diff": "difference of log-probabilities" };
const metricOf = (metric) => targetName({ ...metric.token, versus: metric.versus });

// The number itself: of what, after which token, where it starts and where it ends.
function showMetric() {
  const { metric } = result;
  const decimals = decimalsOf([metric.value, metric.start ?? 0]);
  const at = result.tokens[metric.position];
  const parts = [visible(metricNames[metric.name] || metric.name) + " of ", element("b", {}, metricOf(metric)),
    " after ", element("b", {}, `${metric.position} ${tokenName(at)}`)];
  const value = element("span", { class: "value" });
  if (metric.start !== undefined) {
    value.append(element("span", { class: "from" }, fixed(metric.start, decimals, false) + " \u2192 "));
  }
  value.append(fixed(metric.value, decimals, false));
  byId("metric").replaceChildren(element("span", {}, ...parts), value);
}

// Decimals that show about four digits of the largest.
function decimalsOf(values, least = 3) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest > 0 && Number.isFinite(largest)
    ? Math.min(12, Math.max(least, 3 - Math.floor(Math.log10(largest)))) : least;
}

// Chips in the shade of one number each; the strongest is full.
function shadeChips(values, here) {
  const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
  const decimals = decimalsOf(values);
  chips.forEach((chip, position) => {
    const value = values[position] ?? 0;
    chip.style.setProperty("--share", (Math.abs(value) / most).toFixed(3));
    chip.classList.toggle("takes", value < 0);
    chip.setAttribute("aria-selected", position === here);
    chip.setAttribute("aria-label", `${position} ${tokenName(result.tokens[position])}, ${fixed(value, decimals, true)}`);
    chip.tabIndex = position === Math.max(0, here) ? 0 : -1;
  });
}

const placeName = (position) => position === null || position === undefined ? "all tokens"
  : `${position} ${tokenName(result.tokens[position])}`;
const unitLetters = { neuron: "n", head: "h" };
const unitName = (kind, layer, unit) => (layer < 0 ? "emb" : "L" + layer)
  + (unit === undefined || unit === null ? ""
    : kind === "branch" ? (unit ? " mlp" : " attention") : ` ${unitLetters[kind] || "c"}${unit}`);

function showTip(event, ...children) {
  const tip = byId("tip");
  tip.hidden = !children.length;
  if (!children.length) return;
  tip.replaceChildren(...children);
  const box = tip.getBoundingClientRect();
  const x = event.clientX + 16 + box.width > innerWidth ? event.clientX - 14 - box.width : event.clientX + 16;
  const y = Math.min(event.clientY + 16, innerHeight - box.height - 8);
  tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
}

function tipOf(event, who, what, value, decimals) {
  showTip(event, element("p", { class: "who" }, who), element("h2", {}, what),
    element("p", { class: "change " + (value < 0 ? "loss" : "gain") }, fixed(value, decimals, true)));
}

// The word beside a bar that a list of names has; rows are [name, value, choose].
function barList(rows, decimals, options = {}) {
  const most = options.most ?? 14;
  const shown = rows.slice(0, most);
  const low = Math.min(0, ...shown.map((row) => row[1])), high = Math.max(0, ...shown.map((row) => row[1]));
  const show = options.show || ((value) => fixed(value, decimals, true));
  const list = element("ol", { class: "top" }, ...shown.map(([name, value, choose]) => {
    const label = choose ? element("button", { type: "button", class: "name", title: name }, name)
      : element("span", { class: "name", title: name }, name);
    const row = element("li", { class: choose ? null : "still" }, label, signedBar(value, low, high),
      element("span", { class: "number " + (value < 0 ? "loss" : "gain") }, show(value)));
    if (choose) row.addEventListener("click", choose);
    return row;
  }));
  const rest = rows.slice(most);
  if (rest.length) {
    list.append(element("li", { class: "rest" },
      element("span", { class: "name" }, `${rest.length} other${rest.length === 1 ? "" : "s"}`), element("span", {}),
      element("span", { class: "number" }, show(rest.reduce((sum, row) => sum + row[1], 0)))));
  }
  return list;
}
