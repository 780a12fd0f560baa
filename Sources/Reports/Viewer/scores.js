"use strict";
// What pages of signed scores share: tokens as chips, bars around zero, choices.

const chips = [];

function showTokens() {
  const host = byId("tokens");
  host.setAttribute("role", "listbox");
  host.setAttribute("aria-label", "Tokens");
  host.setAttribute("aria-orientation", "horizontal");
  result.tokens.forEach((token, position) => {
    const node = element("span", { class: "chip", role: "option", "data-position": position, tabindex: -1,
      title: "position " + position }, token.bytes ? tokenName(token) : visible(token.text) || "\u2205");
    chips.push(node);
    host.append(node);
    if (token.text.includes("\n")) host.append(element("br", { role: "presentation" }));
  });
}

function radios(host, names, field, changed) {
  byId(host).append(...Object.entries(names).map(([key, name]) => {
    const input = element("input", { type: "radio", name: field, value: key, checked: state[field] === key });
    input.addEventListener("change", () => {
      state[field] = key;
      changed();
    });
    return element("label", {}, input, element("span", {}, name));
  }));
}

function setRadio(field) {
  for (const input of document.getElementsByName(field)) input.checked = input.value === state[field];
}

function signedBar(value, low, high) {
  const span = high - low || 1;
  const node = element("span", { class: "signed" + (value < 0 ? " loss" : "") }, element("b", {}));
  node.style.setProperty("--zero", (-low / span) * 100 + "%");
  node.style.setProperty("--from", ((Math.min(0, value) - low) / span) * 100 + "%");
  node.style.setProperty("--wide", (Math.abs(value) / span) * 100 + "%");
  return node;
}

// One number in every layer, as bars around zero; a click chooses the layer.
function profileOf(values, place, names, choose) {
  const width = 258, height = 76, foot = 13;
  const low = Math.min(0, ...values), high = Math.max(0, ...values);
  const span = high - low || 1;
  const slot = width / values.length;
  const y = (value) => 2 + (high - value) / span * (height - foot - 4);
  const node = drawing("svg", { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`,
    role: "img", "aria-label": "by layer: " + values.map((value) => fixed(value, 3, true)).join(", ") });
  node.append(drawing("line", { class: "ground", x1: 0, x2: width, y1: y(0), y2: y(0) }));
  const every = Math.ceil(16 / slot);
  values.forEach((value, index) => {
    const shape = { x: (index * slot + slot * 0.14).toFixed(1), width: (slot * 0.72).toFixed(1) };
    const top = Math.min(y(value), y(0)), tall = Math.max(0.8, Math.abs(y(value) - y(0)));
    node.append(drawing("rect", { ...shape, class: value < 0 ? "lossbar" : "gainbar", y: top, height: tall }));
    if (index === place) {
      node.append(drawing("rect", { ...shape, class: "herebar", y: 0.5, height: height - foot }));
    }
    if (index % every === 0 || index === place) {
      node.append(drawing("text", { x: (index + 0.5) * slot, y: height - 2, "text-anchor": "middle",
        class: index === place ? "strong" : "" }, names[index]));
    }
  });
  node.addEventListener("click", (event) => {
    const box = node.getBoundingClientRect();
    choose(Math.min(values.length - 1, Math.floor((event.clientX - box.left) / box.width * values.length)));
  });
  return node;
}
