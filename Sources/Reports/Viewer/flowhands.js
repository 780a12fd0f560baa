"use strict";
// What a person does: the address, the pointer, the keys, and the picture that can be saved.

// MARK: The address

function writeAddress() {
  const fields = { layer: layers[state.layer].layer, target: targets[state.column], source: state.source,
    by: state.by, route: state.route, scale: state.scale };
  if (isCompared()) Object.assign(fields, { with: state.other, view: state.view });
  if (state.head !== null) fields.head = heads[state.head];
  try {
    history.replaceState(null, "", "#" + new URLSearchParams(fields));
  } catch { /* Some places that open files keep no history. */ }
}

function readAddress() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const place = (list, name) => fields.has(name) ? list.indexOf(Number(fields.get(name))) : -1;
  const one = (name, list, field = name) => {
    if (list.includes(fields.get(name))) state[field] = fields.get(name);
  };
  const found = [place(layers.map((layer) => layer.layer), "layer"), place(targets, "target"),
    place(heads, "head")];
  if (found[0] >= 0) state.layer = found[0];
  if (found[1] >= 0) state.column = found[1];
  if (found[2] >= 0) state.head = found[2];
  const source = Number(fields.get("source"));
  if (Number.isInteger(source) && source >= 0 && source < sourceCount) state.source = source;
  one("by", ["target", "source"]);
  one("route", Object.keys(routes));
  one("with", Object.keys(routes), "other");
  one("view", ["side", "difference"]);
  one("scale", ["root", "linear", "share"]);
  if (headKinds[state.route]) state.kind = state.route;
}

// MARK: Hands

function listen() {
  byId("tokens").addEventListener("click", (event) => {
    const node = event.target.closest("[data-position]");
    if (node) chooseToken(Number(node.dataset.position));
  });
  byId("layers").addEventListener("click", (event) => chooseCell(figureAt(event)));
  byId("layers").addEventListener("pointermove", (event) => showTip(event, figureAt(event)));
  byId("headgrid").addEventListener("click", (event) => {
    const node = event.target.closest("[data-head]");
    if (node) chooseHead(Number(node.dataset.head));
  });
  large.forEach((map, side) => {
    map.canvas.addEventListener("click", (event) => {
      const cell = map.cellAt(event);
      if (cell) chooseCell({ ...cell, layer: state.layer, source: cell.isTotal ? state.source : cell.source });
    });
    map.canvas.addEventListener("pointermove", (event) => {
      const cell = map.cellAt(event);
      showTip(event, cell && !cell.isTotal
        ? { ...cell, layer: state.layer, key: shownRoutes()[side] } : null);
    });
  });
  for (const id of ["layers", "focusmaps"]) {
    byId(id).addEventListener("pointerleave", () => { byId("tip").hidden = true; });
  }
  byId("savecsv").addEventListener("click", () => save("flow.csv",
    new Blob([csvOf(state.route, headOf(state.route))], { type: "text/csv" })));
  byId("savejson").addEventListener("click", () => save("flow.json",
    new Blob([jsonOf()], { type: "application/json" })));
  byId("savepng").addEventListener("click", savePicture);
  document.addEventListener("keydown", keys);
  window.addEventListener("hashchange", () => {
    readAddress();
    showAll();
  });
  let width = byId("focusmaps").clientWidth;
  new ResizeObserver(() => {
    if (byId("focusmaps").clientWidth === width) return;
    width = byId("focusmaps").clientWidth;
    showAll();
  }).observe(byId("focusmaps"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readPalette();
    showAll();
  });
}

function figureAt(event) {
  const node = event.target.closest("figure");
  if (!node || event.target.tagName !== "CANVAS") return null;
  const place = Number(node.dataset.place);
  const side = figures[place].pair[0].canvas === event.target ? 0 : 1;
  return { ...figures[place].pair[side].cellAt(event), layer: place, key: shownRoutes()[side] };
}

function chooseCell(cell) {
  if (!cell) return;
  Object.assign(state, { layer: cell.layer, column: cell.column, source: cell.source });
  byId("tip").hidden = true;
  select();
}

function cycle(field, list) {
  state[field] = list[(list.indexOf(state[field]) + 1) % list.length];
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, summary, #parameters")) return;
  const moves = {
    b: () => cycle("by", ["target", "source"]) ?? (setRadio("by"), select()),
    r: () => cycle("route", Object.keys(routes)) ?? showAll(),
    c: () => cycle("scale", ["root", "linear", "share"]) ?? showAll(),
    h: () => state.kind && headKinds[state.kind].route && nextHead(),
    "[": () => { state.layer--; select(); }, "]": () => { state.layer++; select(); },
    PageUp: () => { state.layer--; select(); }, PageDown: () => { state.layer++; select(); },
  };
  const step = { ArrowLeft: ["column", -1], ArrowRight: ["column", 1], ArrowUp: ["source", -1],
    ArrowDown: ["source", 1] }[event.key];
  const chip = event.target.closest("[data-position]");
  if (step && chip) {
    moves[event.key] = () => {
      state[state.by === "target" ? "column" : "source"] += step[1];
      select();
    };
  } else if (step && event.target.closest("#layers")) {
    moves[event.key] = () => {
      state[step[0]] += step[1];
      select();
    };
  }
  const move = moves[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!move) return;
  event.preventDefault();
  byId("tip").hidden = true;
  move();
  if (chip) chips[state.by === "target" ? targets[state.column] : state.source].focus();
}

// All heads, then each, then all again.
function nextHead() {
  const route = headKinds[state.kind].route;
  const at = state.route === route && state.head !== null ? state.head + 1 : 0;
  state.route = route;
  state.head = at < headCount ? at : null;
  showAll();
}

function showTip(event, cell) {
  const box = byId("tip");
  box.hidden = !cell;
  if (!cell) return;
  const name = [cell.layer, cell.column, cell.source, cell.key, state.scale, state.head].join(" ");
  if (box.dataset.key !== name) {
    box.dataset.key = name;
    const map = shownMap(cell.key, cell.layer);
    const value = map.values[cell.source * columnCount + cell.column];
    const total = totalOf(routes[cell.key], cell.layer, cell.column, headOf(cell.key), map);
    const share = map.sizes[cell.column] ? value / map.sizes[cell.column] : 0;
    const decimals = decimalsFor(limits[cell.key] ?? map.largest);
    const lines = [["of the column\u2019s sizes", fixed(100 * share, 1, true) + "%"],
      ["total of the target", fixed(total.total, decimals, false)]];
    if (total.error !== null) lines.push(["completeness error", tiny(total.error).replace("+", "")]);
    box.replaceChildren(element("p", { class: "who" },
      `${nameOf(cell.source)} \u2192 ${nameOf(targets[cell.column])}`),
    element("h2", {}, "layer " + layers[cell.layer].layer + ", " + routeTitle(cell.key)),
    element("p", { class: "change " + (value < 0 ? "loss" : "gain") }, fixed(value, decimals, true)),
    element("dl", {}, ...lines.map(([label, text]) =>
      element("div", {}, element("dt", {}, label), element("dd", {}, text)))));
  }
  const width = box.offsetWidth, height = box.offsetHeight;
  const isRight = event.clientX + 16 + width > innerWidth;
  const x = isRight ? event.clientX - width - 12 : event.clientX + 16;
  const y = Math.min(event.clientY + 14, innerHeight - height - 8);
  box.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
}

// All layers' maps as one picture.
function savePicture() {
  const gap = 16, head = 20;
  const shown = shownRoutes().length;
  const across = Math.min(figures.length, Math.max(1, Math.round(Math.sqrt(figures.length * 1.6) / shown)));
  const first = figures[0].pair[0].canvas;
  const wide = shown * first.width + (shown - 1) * 6, tall = first.height;
  const canvas = element("canvas", {});
  canvas.width = across * (wide + gap) + gap;
  canvas.height = Math.ceil(figures.length / across) * (tall + head + gap) + gap + 18;
  const pen = canvas.getContext("2d");
  pen.fillStyle = palette.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "middle";
  figures.forEach((figure, place) => {
    const x = gap + (place % across) * (wide + gap);
    const y = gap + Math.floor(place / across) * (tall + head + gap);
    pen.fillStyle = palette.ink;
    pen.font = `600 12px ${palette.font}`;
    pen.fillText("layer " + layers[place].layer, x, y + head / 2 - 2);
    for (let side = 0; side < shown; side++) {
      pen.drawImage(figure.pair[side].canvas, x + side * (first.width + 6), y + head);
    }
  });
  pen.fillStyle = palette.quiet;
  pen.font = `11px ${palette.font}`;
  pen.fillText(byId("unit").textContent, gap, canvas.height - 14, canvas.width - 2 * gap);
  canvas.toBlob((blob) => blob && save("flow.png", blob), "image/png");
}

if (result.schema === "telescope/flow/1") start();
else {
  byId("tokens").textContent = "This page cannot show a result of schema "
    + visible(String(result.schema)) + ".";
}
