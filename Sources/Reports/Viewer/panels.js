"use strict";
// What stands around the two charts: parameters, text, the selected layer, the sum, the table.

// What the numbers are of, always in sight.
function showParameters() {
  const { model, method } = result;
  const baseline = method.baseline
    + (result.baseline_text !== undefined ? ` \u201c${visible(result.baseline_text)}\u201d` : "");
  const estimator = method.estimator + (method.nodes !== undefined ? ` ${method.nodes}` : "")
    + (method.tolerance !== undefined && method.estimator === "gauss"
      ? `, tol ${method.tolerance}` : "");
  const blocks = method.layers.filter((layer) => layer >= 0).length;
  const rows = [
    ["model", visible(model.name)],
    ["sha256", model.sha256.slice(0, 12), model.sha256],
    ["dtype", `${model.dtype} on ${result.device}`],
    ["target", method.target], ["path", method.path], ["baseline", baseline, baseline],
    ["estimator", estimator],
    ["layers", `${blocks} of ${model.layers}` + (blocks < method.layers.length ? ", embedding" : "")],
    ["onset at", `${method.onset_fraction} of \u03a3|A|`],
    method.tolerance !== undefined && method.estimator !== "gauss"
      && ["integrals to", String(method.tolerance)],
    method.completion !== undefined && ["completion", visible(method.completion)],
    method.lens !== undefined && ["lens", visible(method.lens)],
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
  // Tokens that nothing explains are read together, so that no character falls apart.
  let plain = [];
  const showPlain = () => {
    if (!plain.length) return;
    const lines = visible(joinedText(plain)).split("\u21b5");
    lines.forEach((line, index) => {
      const text = index + 1 < lines.length ? line + "\u21b5" : line;
      if (text) host.append(element("span", { class: "plain", role: "presentation" }, text));
      if (index + 1 < lines.length) host.append(element("br", { role: "presentation" }));
    });
    plain = [];
  };
  result.tokens.forEach((token, position) => {
    const index = at.get(position);
    if (index === undefined) {
      plain.push(token);
    } else {
      showPlain();
      host.append(chip(index, token.bytes ? tokenName(token) : visible(token.text)));
      if (token.text.includes("\n")) host.append(element("br", { role: "presentation" }));
    }
    if (position + 1 === result.prompt_tokens && position + 1 < result.tokens.length) {
      showPlain();
      host.append(element("span", { class: "border", role: "presentation",
        title: "end of the prompt" }));
    }
  });
  showPlain();
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
  const hasRange = explanations.some((explanation) =>
    explanation.attributions.some((layer) => layer.low !== undefined));
  const hasDoubt = explanations.some((explanation) =>
    explanation.attributions.some((layer) => layer.converged === false));
  const items = [["gain", "adds"], ["loss", "takes away"], ["lens", "lens reading"],
    hasContrast && ["contrast", "lens of the contrast prompt"],
    hasDoubt && ["doubtful", "integral not converged"],
    hasRange && ["range", "range over paths and baselines"], ["onset", "onset"]];
  byId("legend").append(...items.filter(Boolean).map(([name, text]) =>
    element("li", { class: name }, text)));
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
    layer.low !== undefined && layer.high !== undefined && ["range over paths",
      [layer.low, layer.high].map((value) => fixed(value, Math.max(2, quantity.decimals - 2), true))
        .join(" \u2026 ")],
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
  const open = explanation.attributions.filter((layer) => layer.converged === false).length;
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
      open ? term("not converged", `${open} of ${levels.length - 1}`, "miss") : null,
      term("onset", explanation.onset_layer === undefined ? "\u2013"
        : layerName(explanation.onset_layer))));
}

function showTable() {
  const explanation = explanations[state.token];
  if (!explanation || !byId("numbers").open) return;
  const quantity = kinds[state.token];
  const levels = levelsOf(explanation);
  const hasRange = explanation.attributions.some((layer) => layer.low !== undefined);
  const heads = ["layer", "change", ...(hasRange ? ["least", "largest"] : []), "running", "lens",
    "rank", "entropy", "most probable"];
  const range = hasRange ? ["", ""] : [];
  const rangeOf = (layer) => hasRange ? [layer.low, layer.high].map((value) =>
    value === undefined ? "" : fixed(value, quantity.decimals, true)) : [];
  const cells = (row, first = "td") => element("tr", {}, ...row.map((text, index) =>
    element(index === 0 ? "th" : first, index === 0 ? { scope: "row" } : {}, text)));
  const body = [cells(["baseline", "", ...range, quantity.level(levels[0]), "", "", "", ""])];
  explanation.attributions.forEach((layer, index) => body.push(cells([
    layer.layer < 0 ? "embedding" : String(layer.layer),
    quantity.change(levels[index], levels[index + 1]), ...rangeOf(layer),
    quantity.level(levels[index + 1]), quantity.level(layer.lens), layer.rank === undefined ? "" : String(layer.rank),
    layer.entropy === undefined ? "" : fixed(layer.entropy, 2, false),
    layer.top && layer.top.length ? tokenName(layer.top[0]) : "",
  ])));
  body.push(cells(["sum", quantity.change(levels[0], levels[levels.length - 1]),
    ...range, quantity.level(levels[levels.length - 1]), "", "", "", ""]));
  body.push(cells(["model", "", ...range, quantity.level(explanation.model_value), "", "", "", ""]));
  byId("table").replaceChildren(element("table", {},
    element("caption", {}, `${quantity.name} of ${targetName(explanation.target)}`),
    element("thead", {}, element("tr", {}, ...heads.map((text) =>
      element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...body)));
}
