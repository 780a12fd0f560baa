"use strict";
// Text and numbers as people read them. Nothing here, or anywhere in this page, parses HTML:
// every text from the result becomes a text node.

const result = JSON.parse(document.getElementById("result").textContent);
const byId = (id) => document.getElementById(id);
const minus = "\u2212";

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") node.className = value;
    else if (key === "style") Object.assign(node.style, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function drawing(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// Controls, marks that hide or reorder text, and lone surrogates become visible.
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/gu;

function visible(text) {
  return text.replace(unseen, (mark) => {
    const code = mark.codePointAt(0);
    if (code === 0x200d) return mark;
    if (code === 10) return "\u21b5";
    if (code === 9) return "\u21e5";
    if (code < 32) return String.fromCodePoint(0x2400 + code);
    if (code === 127) return "\u2421";
    return "\u27e8U+" + code.toString(16).toUpperCase().padStart(4, "0") + "\u27e9";
  });
}

// The text of tokens that follow one another: a character may span several of them, so their bytes
// are joined before they are read.
function joinedText(tokens) {
  const bytes = tokens.map((token) => token.bytes
    ? Uint8Array.from(token.bytes.match(/../g) || [], (pair) => parseInt(pair, 16))
    : new TextEncoder().encode(token.text));
  const all = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of bytes) {
    all.set(part, end);
    end += part.length;
  }
  return new TextDecoder().decode(all);
}

// A token on its own: spaces at its ends show, and bytes that are no text are given in hex.
function tokenName(token) {
  if (token.bytes) {
    return "\u2039" + (token.bytes.toUpperCase().match(/../g) || []).join(" ") + "\u203a";
  }
  const spaces = (run) => "\u2423".repeat(run.length);
  return visible(token.text).replace(/^ +/, spaces).replace(/ +$/, spaces) || "\u2205";
}

function targetName(target) {
  const versus = target.versus ? ` ${minus} ${tokenName(target.versus)}` : "";
  return tokenName(target) + versus;
}

const quantities = {
  prob: ["p", "probability", true],
  logprob: ["log p", "log-probability", false],
  logit: ["logit", "logit", false],
  "prob-diff": ["\u0394p", "difference of probabilities", true],
  "logit-diff": ["\u0394logit", "difference of logits", true],
  entropy: ["H", "entropy in nats", true],
  kl: ["KL", "divergence in nats", true],
};

// What an explanation's numbers are, and how many decimals they deserve. The digits shown add up:
// a change is the difference of the rounded levels around it.
function quantityOf(explanation, method) {
  const kind = explanation.target.span ? "logprob" : method.target;
  const [symbol, name, zero] = quantities[kind] || [kind, kind, false];
  let largest = Math.max(Math.abs(explanation.model_value), Math.abs(explanation.baseline_value));
  for (const layer of explanation.attributions) {
    largest = Math.max(largest, Math.abs(layer.value), Math.abs(layer.lens));
  }
  const least = kind === "prob" || kind === "prob-diff" ? 5 : 4;
  const decimals = largest > 0
    ? Math.min(12, Math.max(least, 4 - Math.floor(Math.log10(largest)))) : least;
  return {
    kind, symbol, name, zero, decimals,
    level: (value) => fixed(value, decimals, false),
    change: (from, to) => {
      const [first, last] = [units(from, decimals), units(to, decimals)];
      return fixed(Math.abs(last - first) < 2 ** 53
        ? (last - first) / 10 ** decimals : to - from, decimals, true);
    },
  };
}

// A number in units of its last decimal, halves away from zero.
function units(value, decimals) {
  return Math.sign(value) * Math.round(Math.abs(value) * 10 ** decimals);
}

function fixed(number, decimals, signed) {
  const count = units(number, decimals);
  const value = Math.abs(count) < 2 ** 53 ? count / 10 ** decimals : number;
  const text = Math.abs(value) < 1e9
    ? Math.abs(value).toFixed(decimals) : Math.abs(value).toExponential(4);
  const isZero = !/[1-9]/.test(text);
  return (value < 0 && !isZero ? minus : signed && !isZero ? "+" : "") + text;
}

function tiny(value) {
  if (value === 0) return "0";
  return (value < 0 ? minus : "+") + Math.abs(value).toExponential(1).replace("-", minus);
}

function layerName(layer) { return layer < 0 ? "embedding" : "layer " + layer; }

// The levels that the bars run between: the baseline, then after each layer.
function levelsOf(explanation) {
  const levels = [explanation.baseline_value];
  for (const layer of explanation.attributions) {
    levels.push(levels[levels.length - 1] + layer.value);
  }
  return levels;
}

// Round numbers for an axis, about as many as asked.
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((m) => m >= raw * 0.999);
  const list = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) {
    list.push(at * step);
  }
  const decimals = Math.max(0, -Math.floor(Math.log10(step)) + (step / power === 2.5 ? 1 : 0));
  return list.map((value) => [value, value === 0 ? "0" : fixed(value, Math.min(12, decimals), false)]);
}

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}
