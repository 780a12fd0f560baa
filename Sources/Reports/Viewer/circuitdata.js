"use strict";
// The circuit behind the drawing: which nodes and edges a share of the mass keeps, and which of them are
// on a way from a token to the metric.

const nodes = result.nodes;
const tokens = result.tokens;
const curves = result.curves || [];
const edges = (result.edges || []).map((edge) => ({ ...edge, from: endOf(edge.source), to: endOf(edge.target) }));
const hasEdges = edges.length > 0;
const nodeMass = nodes.reduce((sum, node) => sum + Math.abs(node.score), 0) || 1;
const byMass = nodes.map((_, index) => index)
  .sort((a, b) => Math.abs(nodes[b].score) - Math.abs(nodes[a].score) || a - b);
const rankOf = new Map(byMass.map((node, rank) => [node, rank + 1]));
// Without edges from tokens, or to the metric, nothing can be asked of that end of a way.
const hasSources = edges.some((edge) => edge.from.kind === "token");
const hasGoals = edges.some((edge) => edge.to.kind === "metric");

function endOf(text) {
  const [kind, place] = text.split(" ");
  return { kind, place: Number(place), key: text };
}

// The first of a list, largest first, that hold this share of the whole mass; all of it keeps all.
function holding(list, size, share) {
  if (share >= 1) return list;
  const whole = list.reduce((sum, each) => sum + size(each), 0);
  const kept = [];
  let sum = 0;
  for (const each of list) {
    if (sum >= share * whole * (1 - 1e-12)) break;
    sum += size(each);
    kept.push(each);
  }
  return kept;
}

function visibleCircuit(nodeShare, edgeShare, isPruned) {
  let kept = new Set(holding(byMass, (node) => Math.abs(nodes[node].score), nodeShare));
  const isShown = (end) => end.kind !== "node" || kept.has(end.place);
  const among = edges.filter((edge) => isShown(edge.from) && isShown(edge.to))
    .sort((a, b) => Math.abs(b.attribution) - Math.abs(a.attribution));
  let lines = holding(among, (edge) => Math.abs(edge.attribution), edgeShare);
  const before = kept.size;
  if (isPruned && hasEdges) {
    const onWay = waysOf(lines);
    kept = new Set([...kept].filter((node) => onWay.has("node " + node)));
    lines = lines.filter((edge) => onWay.has(edge.from.key) && onWay.has(edge.to.key));
  }
  return { nodes: kept, edges: lines, candidates: among.length, pruned: before - kept.size };
}

// What edges reach from a token and lead to the metric.
function waysOf(lines) {
  const out = new Map(), into = new Map();
  for (const edge of lines) {
    out.set(edge.from.key, [...(out.get(edge.from.key) || []), edge.to.key]);
    into.set(edge.to.key, [...(into.get(edge.to.key) || []), edge.from.key]);
  }
  const all = new Set([...out.keys(), ...into.keys()]);
  const spread = (starts, next) => {
    const found = new Set(starts), open = [...starts];
    while (open.length) {
      for (const key of next.get(open.pop()) || []) {
        if (!found.has(key)) {
          found.add(key);
          open.push(key);
        }
      }
    }
    return found;
  };
  const fed = hasSources ? spread([...all].filter((key) => key.startsWith("token")), out) : all;
  const heard = hasGoals ? spread([...all].filter((key) => key === "metric"), into) : all;
  return new Set([...all].filter((key) => fed.has(key) && heard.has(key)));
}

// The share of the mass, in half percents, that so many of a list hold.
function shareOf(list, size, count) {
  if (list.length <= count) return 1;
  const whole = list.reduce((sum, each) => sum + size(each), 0) || 1;
  const part = list.slice(0, count).reduce((sum, each) => sum + size(each), 0);
  return Math.max(0.01, Math.floor(200 * part / whole) / 200);
}

const nodeName = (place) => unitName(result.unit, nodes[place].layer, nodes[place].unit);
const endName = (end) => end.kind === "metric" ? "the metric" : end.kind === "token" ? placeName(end.place)
  : nodeName(end.place) + (nodes[end.place].position === undefined ? "" : " \u00b7 " + placeName(nodes[end.place].position));
