"use strict";
// One selected cell; the grid, the text and the numbers beside it follow.

const rows = result.layers.map((layer) => layer.cells);
const count = result.positions.length;
const state = { column: 0, row: rows.length - 1, measure: "probability", view: "names" };
const chips = [];
let grid, chosen, pendingAddress;

// The last row is the model's own output; it is named so where it is no block's state.
const rowNames = result.layers.map((layer, row) => {
  const isLast = row === rows.length - 1;
  const repeats = row > 0 && result.layers[row - 1].layer === layer.layer;
  if (isLast && (result.moment !== "after" || layer.layer >= result.model.layers || repeats)) {
    return "model";
  }
  return layer.layer < 0 ? "emb" : String(layer.layer);
});

function all(value) { return rows.flatMap((cells) => cells.map(value)); }

function largest(value) { return all(value).reduce((most, each) => Math.max(most, each), 0); }

// The values that bound this share of all from below and above.
function bounds(value, share) {
  const sorted = all(value).sort((a, b) => a - b);
  const at = (place) => sorted[Math.round((sorted.length - 1) * place)] ?? 0;
  return [at(share), at(1 - share)];
}

// Each measure: its name, a reading's number, the number as text, its share of the scale, the
// scale's marks, and whether more of it is further from the answer.
const measures = {
  probability: () => ({
    name: "probability", value: (cell) => cell.probability, text: (value) => fixed(value, 5, false),
    share: (cell) => cell.probability, marks: [[0, "0"], [0.5, "0.5"], [1, "1"]],
  }),
  rank: () => {
    const most = Math.max(10, largest((cell) => cell.rank));
    const marks = [1, 10, 100, 1e3, 1e4, 1e5].filter((rank) => rank <= most)
      .map((rank) => [1 - Math.log(rank) / Math.log(most),
        rank >= 1000 ? rank / 1000 + "k" : String(rank)]);
    return {
      name: "rank", value: (cell) => cell.rank, text: String,
      share: (cell) => 1 - Math.log(cell.rank) / Math.log(most), marks,
    };
  },
  entropy: () => distance("entropy", (cell) => cell.entropy),
  kl: () => distance("KL", (cell) => cell.kl),
  logit: () => {
    const [low, high] = bounds((cell) => cell.logit, 0.05);
    const span = high > low ? high - low : 1;
    return {
      name: "logit", value: (cell) => cell.logit, text: (value) => fixed(value, 3, false),
      share: (cell) => (cell.logit - low) / span,
      marks: [[0, "\u2264 " + fixed(low, 1, false)], [1, "\u2265 " + fixed(high, 1, false)]],
    };
  },
};

function distance(name, value) {
  const most = largest(value) || 1;
  return {
    name, value, text: (number) => fixed(number, 3, false), isLoss: true,
    share: (cell) => value(cell) / most,
    marks: [0, 0.5, 1].map((share) => [share, share ? fixed(most * share, 1, false) : "0"]),
  };
}

const views = { names: "names", fit: "overview" };
let measure = measures.probability();

function start() {
  document.body.classList.toggle("long", result.tokens.length > 90);
  showParameters();
  showTokens();
  if (result.warnings.length) {
    byId("warnings").hidden = false;
    byId("warnings").append(...result.warnings.map((text) => element("p", {}, visible(text))));
  }
  if (!rows.length || !count) {
    byId("gridtitle").textContent = "Nothing was read";
    return;
  }
  grid = new LensGrid(byId("grid"), byId("gridsize"), byId("gridcanvas"), byId("scale"));
  grid.load(rows, rowNames, result.targets.map(tokenName),
    result.positions.map((position) => tokenName(result.tokens[position])), result.positions,
    result.targets.map((target) => target.id));
  radios("measures", Object.keys(measures), (key) => key === "kl" ? "KL" : key, "measure", showGrid);
  radios("views", Object.keys(views), (key) => views[key], "view", showGrid);
  const [position, row] = (location.hash.match(/^#p(\d+)r(\d+)$/) || []).slice(1).map(Number);
  const column = result.positions.indexOf(position);
  state.column = column >= 0 ? column : count - 1;
  state.row = row < rows.length ? row : rows.length - 1;
  showGrid();
  byId("numbers").addEventListener("toggle", showTable);
  new ResizeObserver(() => grid.layout()).observe(byId("grid"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    grid.theme();
    showDetail();
  });
  listen();
}

function radios(host, keys, name, field, changed) {
  byId(host).append(...keys.map((key) => {
    const input = element("input", { type: "radio", name: field, value: key,
      checked: state[field] === key });
    input.addEventListener("change", () => {
      state[field] = key;
      changed();
    });
    return element("label", {}, input, element("span", {}, name(key)));
  }));
}

function showGrid() {
  measure = measures[state.measure]();
  const inner = measure.share;
  const share = (cell) => {
    const value = inner(cell);
    return value > 0 ? Math.min(1, value) : 0;
  };
  const names = { entropy: "entropy, in nats", KL: "KL to the model\u2019s output, in nats" };
  byId("gridtitle").textContent = (names[measure.name] || `${measure.name} of the target`);
  grid.isWide = state.view === "names";
  grid.show(share, measure.isLoss === true, measure.marks);
  choose(state.column, state.row);
}

function cycle(field, keys) {
  state[field] = keys[(keys.indexOf(state[field]) + 1) % keys.length];
  document.querySelector(`input[name="${field}"][value="${state[field]}"]`).checked = true;
  showGrid();
}

function choose(column, row) {
  state.column = Math.max(0, Math.min(count - 1, column));
  state.row = Math.max(0, Math.min(rows.length - 1, row));
  // Scrolling asks for the layout, so it comes before anything on the page changes.
  grid.select(state.column, state.row);
  if (chosen !== chips[state.column]) {
    for (const node of [chosen, chips[state.column]].filter(Boolean)) {
      const isChosen = node !== chosen;
      node.setAttribute("aria-selected", isChosen);
      node.tabIndex = isChosen ? 0 : -1;
    }
    chosen = chips[state.column];
  }
  showDetail();
  showTable();
  const cell = rows[state.row][state.column];
  byId("live").textContent = `${tokenName(result.tokens[result.positions[state.column]])}, `
    + `${rowTitle(state.row)}: ${cell.top.length ? tokenName(cell.top[0]) : ""}, ${measure.name} `
    + measure.text(measure.value(cell));
  // Browsers allow few changes of the address in a row.
  clearTimeout(pendingAddress);
  pendingAddress = setTimeout(() => {
    try {
      history.replaceState(null, "", `#p${result.positions[state.column]}r${state.row}`);
    } catch { /* Some places that open files keep no history. */ }
  }, 300);
}

function rowTitle(row) {
  if (rowNames[row] === "model") return "the model\u2019s output";
  const name = result.layers[row].layer < 0 ? "embedding" : "layer " + rowNames[row];
  return name + ({ before: ", before", middle: ", after attention" }[result.moment] || "");
}

function showParameters() {
  const { model, lens } = result;
  const moments = { before: "before each block", middle: "after each block\u2019s attention",
    after: "after each block" };
  const list = [
    ["model", visible(model.name), visible(model.name)],
    ["sha256", model.sha256.slice(0, 12), model.sha256],
    ["dtype", visible(`${model.dtype} on ${result.device}`)],
    ["lens", visible(lens.kind + (lens.file ? " " + lens.file : "")), lens.sha256],
    ["states", moments[result.moment] || visible(result.moment)],
    ["layers", `${rows.length} rows of ${model.layers} layers`],
    ["positions", `${count} of ${result.tokens.length}`], ["version", visible(result.tool_version)],
  ];
  byId("parameters").append(...list.map(([name, value, title]) =>
    element("div", {}, element("dt", {}, name), element("dd", { title }, value))));
}

// The text, each token that has a column shaded by the model's probability of what follows it.
function showTokens() {
  const host = byId("tokens");
  host.setAttribute("role", "listbox");
  host.setAttribute("aria-label", "Tokens of the grid");
  host.setAttribute("aria-orientation", "horizontal");
  const columns = new Map(result.positions.map((position, column) => [position, column]));
  let plain = [];
  const showPlain = () => {
    if (plain.length) host.append(element("span", { class: "plain", role: "presentation" },
      visible(joinedText(plain))));
    plain = [];
  };
  result.tokens.forEach((token, position) => {
    const column = columns.get(position);
    if (column === undefined) {
      plain.push(token);
      return;
    }
    showPlain();
    const cell = rows.length ? rows[rows.length - 1][column] : { probability: 0 };
    const node = element("span", { class: "chip", role: "option", "data-column": column,
      tabindex: -1, title: `position ${position}, then ${tokenName(result.targets[column])}` },
    token.bytes ? tokenName(token) : visible(token.text) || "\u2205");
    node.style.setProperty("--share", Math.max(0, Math.min(1, cell.probability)).toFixed(3));
    chips[column] = node;
    host.append(node);
    if (token.text.includes("\n")) host.append(element("br", { role: "presentation" }));
  });
  showPlain();
}

function detailOf(column, row) {
  const cell = rows[row][column];
  const target = result.targets[column];
  const list = [
    ["probability", fixed(cell.probability, 5, false)], ["logit", fixed(cell.logit, 3, false)],
    ["rank", String(cell.rank)], ["entropy", fixed(cell.entropy, 3, false) + " nats"],
    ["KL to the output", fixed(cell.kl, 3, false) + " nats"],
  ];
  const head = element("h2", {}, rowTitle(row),
    grid.hits[row][column] ? element("em", {}, "target first") : null);
  const next = element("p", { class: "next" }, "position " + result.positions[column] + ", target ",
    element("b", {}, tokenName(target)));
  const numbers = element("dl", {}, ...list.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const top = element("ol", { class: "top" }, ...cell.top.map((token) => {
    const item = element("li", { class: token.id === target.id ? "target" : null },
      element("span", { class: "name" }, tokenName(token)),
      element("span", { class: "bar" }, element("b", {})),
      element("span", { class: "number" }, fixed(token.probability, 3, false)));
    item.style.setProperty("--share", Math.max(0, Math.min(1, token.probability)));
    return item;
  }));
  const title = cell.top.length ? element("h3", {}, "most probable here") : "";
  return { head, next, numbers, title, top };
}

function showDetail() {
  const parts = detailOf(state.column, state.row);
  byId("detail").replaceChildren(parts.head, parts.next, parts.numbers, parts.title, parts.top,
    element("h3", {}, `${measure.name} through the layers`), profile());
}

// The selected token's measure from the first layer to the last.
function profile() {
  const width = 246, height = 74, edge = 5;
  const values = rows.map((cells) => {
    const share = measure.share(cells[state.column]);
    return share > 0 ? Math.min(1, share) : 0;
  });
  const x = (row) => edge + (rows.length > 1 ? row / (rows.length - 1) : 0.5) * (width - 2 * edge);
  const y = (share) => height - edge - share * (height - 2 * edge);
  const line = values.map((share, row) => `${x(row).toFixed(1)},${y(share).toFixed(1)}`).join(" ");
  return drawing("svg", { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`,
    "aria-hidden": "true" },
  drawing("line", { class: "ground", x1: 0, x2: width, y1: height - edge, y2: height - edge }),
  drawing("polyline", { class: "through", points: line }),
  drawing("circle", { class: "here", cx: x(state.row), cy: y(values[state.row]), r: 4.5 }));
}

function showTable() {
  if (!byId("numbers").open) return;
  const { column } = state;
  const heads = ["layer", "probability", "logit", "rank", "entropy", "KL", "most probable"];
  const line = (texts, name) => element("tr", {}, ...texts.map((text, index) =>
    element(index === 0 ? "th" : name, index === 0 ? { scope: "row" } : {}, text)));
  const body = rows.map((cells, row) => {
    const cell = cells[column];
    return line([rowNames[row], fixed(cell.probability, 5, false), fixed(cell.logit, 3, false),
      String(cell.rank), fixed(cell.entropy, 3, false), fixed(cell.kl, 3, false),
      cell.top.length ? tokenName(cell.top[0]) : ""], "td");
  }).reverse();
  byId("table").replaceChildren(element("table", {},
    element("caption", {}, `position ${result.positions[column]}, target `
      + tokenName(result.targets[column])),
    element("thead", {}, element("tr", {}, ...heads.map((text) =>
      element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...body)));
}

function listen() {
  const host = byId("grid");
  byId("tokens").addEventListener("click", (event) => {
    const node = event.target.closest("[data-column]");
    if (node) choose(Number(node.dataset.column), state.row);
  });
  host.addEventListener("click", (event) => {
    const cell = grid.cell(event);
    if (cell) choose(cell.column, cell.row);
  });
  host.addEventListener("pointermove", (event) => showTip(event, grid.cell(event)));
  host.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
  host.addEventListener("scroll", () => { byId("tip").hidden = true; }, { passive: true });
  document.addEventListener("keydown", keys);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, summary, #parameters")) return;
  const { column, row } = state;
  const isGrid = event.target.closest("#grid");
  const moves = {
    m: () => cycle("measure", Object.keys(measures)), v: () => cycle("view", Object.keys(views)),
  };
  if (isGrid || event.target.closest("[data-column]")) {
    moves.ArrowLeft = () => choose(column - 1, row);
    moves.ArrowRight = () => choose(column + 1, row);
    moves.PageUp = () => choose(column - 10, row);
    moves.PageDown = () => choose(column + 10, row);
  }
  if (isGrid) {
    moves.ArrowUp = () => choose(column, row + 1);
    moves.ArrowDown = () => choose(column, row - 1);
    moves.Home = () => choose(column, 0);
    moves.End = () => choose(column, rows.length - 1);
  }
  const move = moves[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!move) return;
  event.preventDefault();
  byId("tip").hidden = true;
  move();
  if (event.target.closest("[data-column]")) {
    chosen.focus();
  }
}

// What is under the pointer, beside it.
function showTip(event, cell) {
  const box = byId("tip");
  box.hidden = !cell;
  if (!cell) return;
  const key = cell.column + " " + cell.row;
  if (box.dataset.key !== key) {
    box.dataset.key = key;
    const parts = detailOf(cell.column, cell.row);
    box.replaceChildren(element("p", { class: "who" },
      tokenName(result.tokens[result.positions[cell.column]])), parts.head, parts.next,
    parts.numbers, parts.top);
  }
  const width = box.offsetWidth, height = box.offsetHeight;
  const isRight = event.clientX + 16 + width > innerWidth;
  const x = isRight ? event.clientX - width - 12 : event.clientX + 16;
  const y = Math.min(event.clientY + 14, innerHeight - height - 8);
  box.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
}

if (result.schema === "telescope/lens/1") start();
else {
  byId("tokens").textContent = "This page cannot show a result of schema "
    + visible(String(result.schema)) + ".";
}
