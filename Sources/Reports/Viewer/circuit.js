"use strict";
// One circuit and one selected node; the drawing, the lists and the tables follow.

const state = { nodeShare: 1, edgeShare: 1, key: null, measure: "both", only: null };
let circuit, graph;
const isPrunable = hasEdges && (hasSources || hasGoals);

function start() {
  document.body.classList.toggle("long", tokens.length > 60);
  const { task } = result;
  showParameters(task ? [["task", task.name], ["prompts", task.test_prompts
    ? `${task.train_prompts} for scores, ${task.test_prompts} for circuits` : String(task.train_prompts)],
  ["seed", String(task.seed)]] : []);
  showMetric();
  showWarnings();
  showTokens();
  if (task) {
    byId("task").hidden = false;
    byId("task").textContent = `the first of ${task.train_prompts + task.test_prompts} prompts of ${visible(task.name)}; numbers are means over them`;
  }
  if (nodes.length) startGraph();
  else {
    byId("graphpart").hidden = byId("detail").hidden = true;
    document.body.classList.add("onlycurves");
    shadeChips(tokens.map(() => 0), -1);
    if (!curves.length) byId("metric").after(element("p", { class: "second" }, "No nodes: no score passes the selection."));
  }
  if (curves.length) startCurves();
  byId("numberstitle").textContent = nodes.length ? `All ${nodes.length} nodes as a table` : "Every circuit as a table";
  byId("numbers").hidden = !nodes.length && !curves.length;
  byId("numbers").addEventListener("toggle", showTable);
  listen();
}

// MARK: The graph

function startGraph() {
  graph = new CircuitGraph(byId("graph"), choose);
  state.nodeShare = shareOf(byMass, (node) => Math.abs(nodes[node].score), 150);
  byId("nodemass").value = 100 * state.nodeShare;
  byId("edgechoice").hidden = !hasEdges;
  byId("prunechoice").hidden = !isPrunable;
  byId("prune").checked = isPrunable;
  if (hasEdges) {
    const among = visibleCircuit(state.nodeShare, 1, false).edges;
    state.edgeShare = shareOf(among, (edge) => Math.abs(edge.attribution), 300);
    byId("edgemass").value = 100 * state.edgeShare;
  }
  const moved = () => {
    state.nodeShare = Number(byId("nodemass").value) / 100;
    state.edgeShare = Number(byId("edgemass").value) / 100;
    showCircuit();
  };
  for (const name of ["nodemass", "edgemass", "prune"]) byId(name).addEventListener("input", moved);
  showCircuit();
  // Of a long text the end, where the metric is.
  const goal = graph.points.get("metric");
  byId("graph").scrollLeft = Math.max(0, goal.x + 90 - byId("graph").clientWidth);
}

function showCircuit() {
  circuit = visibleCircuit(state.nodeShare, hasEdges ? state.edgeShare : 1, byId("prune").checked);
  if (state.key && state.key.startsWith("node") && !circuit.nodes.has(endOf(state.key).place)) state.key = null;
  const mass = [...circuit.nodes].reduce((sum, node) => sum + Math.abs(nodes[node].score), 0) / nodeMass;
  const text = (share) => fixed(100 * share, share > 0.995 && share < 1 ? 1 : 0, false) + "%";
  const unitNames = { neuron: "neurons", head: "heads", attention: "coordinates of attention", mlp: "coordinates of the MLP", residual: "coordinates of the residual", branch: "branches" };
  byId("graphtitle").textContent = `${countText(nodes.length)} of ${countText(result.unit_count)} ${unitNames[result.unit] || visible(result.unit)}`;
  byId("nodecount").textContent = `${text(state.nodeShare)} of the mass \u00b7 ${circuit.nodes.size} shown`
    + (circuit.pruned ? `, ${circuit.pruned} on no way` : "");
  byId("edgecount").textContent = `${text(state.edgeShare)} of the mass \u00b7 ${circuit.edges.length} of ${circuit.candidates}`;
  byId("nodemass").setAttribute("aria-valuetext", byId("nodecount").textContent);
  byId("edgemass").setAttribute("aria-valuetext", byId("edgecount").textContent);
  byId("graph").setAttribute("aria-label", `circuit of ${circuit.nodes.size} nodes and ${circuit.edges.length} edges, ${text(mass)} of the mass of scores`);
  graph.show(circuit);
  choose(state.key);
}

function choose(key) {
  state.key = key;
  graph.select(key);
  const end = key ? endOf(key) : null;
  const isNode = end?.kind === "node";
  // Chips show what a selected node is made of, else where the circuit is.
  const map = isNode ? nodes[end.place].tokens : null;
  const sums = tokens.map(() => 0);
  for (const index of circuit.nodes) {
    if (nodes[index].position !== undefined) sums[nodes[index].position] += nodes[index].score;
  }
  shadeChips(map || sums, isNode ? nodes[end.place].position ?? -1 : end?.kind === "token" ? end.place : -1);
  byId("detail").replaceChildren(...(end ? detailOf(key, end) : overview()));
  byId("live").textContent = end ? endName(end) + (isNode ? ", score " + fixed(nodes[end.place].score, 4, true) : "") : "nothing selected";
}

const link = (key) => () => choose(key);

function overview() {
  const scores = nodes.map((node) => node.score), decimals = decimalsOf(scores);
  const positive = scores.filter((score) => score > 0);
  const sum = (list) => list.reduce((total, value) => total + value, 0);
  const rows = byMass.filter((node) => circuit.nodes.has(node)).map((node) =>
    [endName(endOf("node " + node)), nodes[node].score, link("node " + node)]);
  const list = [["for the metric", `${positive.length} \u00b7 ${fixed(sum(positive), decimals, true)}`],
    ["against it", `${scores.length - positive.length} \u00b7 ${fixed(sum(scores) - sum(positive), decimals, true)}`]];
  if (hasEdges) list.push(["edges", countText(edges.length)]);
  return [element("h2", {}, element("b", {}, "The circuit")),
    element("dl", {}, ...list.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    element("h3", {}, "strongest nodes"), barList(rows, decimals, { most: 16 }),
    element("p", { class: "note" }, "A click on a node shows what it reads and what it feeds.")];
}

function detailOf(key, end) {
  const parts = [];
  if (end.kind === "node") {
    const node = nodes[end.place], decimals = decimalsOf([node.score]);
    const list = [["rank", `${rankOf.get(end.place)} of ${nodes.length}`],
      ["share of the mass", shareText(Math.abs(node.score) / nodeMass)]];
    if (node.value !== undefined) list.unshift(["value", fixed(node.value, decimalsOf([node.value]), false)]);
    parts.push(element("h2", {}, element("b", {}, nodeName(end.place)), " ", placeName(node.position)),
      element("p", { class: "change " + (node.score < 0 ? "loss" : "gain") }, fixed(node.score, decimals, true)),
      element("p", { class: "run" }, node.score < 0 ? "against the metric" : "for the metric"),
      element("dl", {}, ...list.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))));
  } else {
    parts.push(element("h2", {}, element("b", {}, end.kind === "metric" ? metricOf(result.metric) : placeName(end.place))),
      element("p", { class: "run" }, end.kind === "metric" ? "the metric" : "embedding of the token"));
  }
  const into = edges.filter((edge) => edge.to.key === key), out = edges.filter((edge) => edge.from.key === key);
  parts.push(...edgeLists(into, out));
  if (end.kind === "node") parts.push(...mapsOf(nodes[end.place]));
  const back = element("button", { type: "button", class: "back" }, "back to the whole circuit");
  back.addEventListener("click", () => choose(null));
  return [...parts, back];
}

function edgeLists(into, out) {
  const parts = [];
  const percent = (value) => fixed(100 * value, 1, true) + "%";
  const byWeight = (list, field) => [...list].sort((a, b) => Math.abs(b[field]) - Math.abs(a[field]));
  if (into.length) {
    const whole = into.reduce((sum, edge) => sum + edge.weight, 0);
    parts.push(element("h3", {}, "reads ", element("small", {}, `share of its value, ${fixed(100 * whole, 1, false)}% in all`)),
      barList(byWeight(into, "weight").map((edge) => [endName(edge.from), edge.weight, link(edge.from.key)]), 3, { most: 8, show: percent }));
  }
  if (out.length) {
    parts.push(element("h3", {}, "feeds ", element("small", {}, "what reaches the metric this way")),
      barList(byWeight(out, "attribution").map((edge) => [endName(edge.to), edge.attribution, link(edge.to.key)]),
        decimalsOf(out.map((edge) => edge.attribution)), { most: 8 }));
  }
  return parts;
}

// What each token gives to the node's value, and what the node gives to each logit.
function mapsOf(node) {
  const parts = [];
  const strongest = (rows) => rows.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  if (node.tokens?.length) {
    parts.push(element("h3", {}, "token map ", element("small", {}, "direct share of its value")),
      barList(strongest(node.tokens.map((share, position) => [placeName(position), share,
        hasSources ? link("token " + position) : null])), 3, { most: 8, show: (value) => fixed(100 * value, 1, true) + "%" }));
  }
  if (node.logits?.length) {
    parts.push(element("h3", {}, "logit map"), barList(strongest(node.logits.map((value, place) =>
      [tokenName(result.logit_tokens[place]), value])), decimalsOf(node.logits), { most: 8 }));
  }
  return parts;
}

// MARK: Curves

function startCurves() {
  byId("curves").hidden = false;
  const isDrawn = curves.some((curve) => curve.points.some((point) => isDefined(point.faithfulness)));
  if (isDrawn) {
    radios("measures", { both: "both", faithfulness: "faithfulness", completeness: "completeness" }, "measure", showCurves);
    showCurves();
    new ResizeObserver(showCurves).observe(byId("plot"));
  } else {
    byId("measures").hidden = true;
    byId("plot").replaceChildren(element("p", { class: "second" }, "The metric with every node is too near to the metric "
      + "with none: faithfulness and completeness have no divisor. The table of circuits has the metric itself."));
  }
  byId("curvetable").replaceChildren(curveTable());
}

let plotted = "";

function showCurves() {
  const plan = [byId("plot").clientWidth, state.measure, state.only].join(" ");
  if (plan === plotted) return;
  plotted = plan;
  drawPlot(byId("plot"), state.measure, state.only);
  byId("methods").replaceChildren(...curves.map((curve, index) => {
    const swatch = element("i", {});
    swatch.style.setProperty("--tone", toneOf(index));
    const button = element("button", { type: "button", title: "this method alone", "aria-pressed": String(state.only === null || state.only === index) },
      swatch, methodName(curve.method));
    button.addEventListener("click", () => {
      state.only = state.only === index ? null : index;
      showCurves();
      byId("methods").querySelectorAll("button")[index].focus();
    });
    return element("li", {}, button);
  }), ...(state.measure === "both" ? [element("li", {}, element("i", { class: "dashed" }), "dashed: completeness, 0 is ideal; solid: faithfulness, 1 is ideal")] : []));
}

// MARK: Tables and hands

function showTable() {
  if (!byId("numbers").open) return;
  const cell = (text) => element("td", {}, text);
  const table = (heads, rows) => element("table", {}, element("thead", {}, element("tr", {},
    ...heads.map((name) => element("th", { scope: "col" }, name)))), element("tbody", {}, ...rows));
  const number = (value, digits) => isDefined(value) ? fixed(value, digits, false) : "\u00b7";
  const tables = [];
  if (nodes.length) {
    tables.push(table(["node", "token", "score", "value", "share of the mass"], byMass.map((index) => {
      const node = nodes[index];
      const button = element("button", { type: "button" }, nodeName(index));
      button.addEventListener("click", () => {
        choose("node " + index);
        byId("graph").scrollIntoView({ block: "center" });
      });
      return element("tr", {}, element("th", { scope: "row" }, button), cell(placeName(node.position)),
        cell(fixed(node.score, 6, true)), cell(number(node.value, 4)), cell(shareText(Math.abs(node.score) / nodeMass)));
    })));
  } else {
    for (const curve of curves) {
      tables.push(element("p", { class: "second" }, methodName(curve.method)),
        table(["nodes", "share", "F(C)", "F(M \u2216 C)", "faithfulness", "completeness"], curve.points.map((point) =>
          element("tr", {}, element("th", { scope: "row" }, countText(point.nodes)), cell(shareText(point.share)), cell(number(point.circuit, 4)),
            cell(number(point.complement, 4)), cell(number(point.faithfulness, 3)), cell(number(point.completeness, 3))))));
    }
  }
  byId("table").replaceChildren(...tables);
}

function listen() {
  if (!nodes.length) return;
  byId("tokens").addEventListener("click", (event) => {
    const node = event.target.closest("[data-position]");
    if (node && hasSources) choose("token " + node.dataset.position);
  });
  byId("graph").addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const step = steps[event.key];
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    if (step) choose(graph.neighbour(state.key, ...step));
    else if (event.key === "Escape") choose(null);
    else if (event.key === "Enter" && state.key) follow(event.shiftKey);
    else return;
    event.preventDefault();
  });
  let width = byId("graph").clientWidth;
  new ResizeObserver(() => {
    if (byId("graph").clientWidth === width) return;
    width = byId("graph").clientWidth;
    showCircuit();
  }).observe(byId("graph"));
}

// Along the strongest edge that is shown, on to the metric or back to the tokens.
function follow(isBack) {
  const found = circuit.edges.filter((edge) => (isBack ? edge.to : edge.from).key === state.key)
    .sort((a, b) => Math.abs(b.attribution) - Math.abs(a.attribution))[0];
  if (found) choose((isBack ? found.from : found.to).key);
}

start();
