"use strict";
// Layers upwards, tokens to the right: nodes as discs by the size of their score, edges as curves by the
// size of what flows along them.

class CircuitGraph {
  constructor(host, choose) {
    Object.assign(this, { host, choose, here: null, over: null });
    host.addEventListener("click", (event) => choose(this.keyAt(event)));
    host.addEventListener("pointermove", (event) => this.hover(event));
    host.addEventListener("pointerleave", (event) => this.hover(event, true));
  }

  keyAt(event) { return event.target.closest?.("[data-key]")?.dataset.key ?? null; }

  show(circuit) {
    this.circuit = circuit;
    this.place();
    this.draw();
    this.mark();
  }

  // Where everything stands. A column is as wide as its fullest layer needs.
  place() {
    const { circuit } = this;
    const isPlaced = nodes.some((node) => node.position !== undefined) || hasSources;
    const columns = isPlaced ? tokens.map((_, position) => ({ position, cells: new Map(), most: 0 })) : [];
    const all = { position: null, cells: new Map(), most: 0 };
    if (nodes.some((node) => node.position === undefined)) columns.push(all);
    const columnOf = (position) => position === undefined ? all : columns[position];
    for (const index of [...circuit.nodes].sort((a, b) => nodes[a].unit - nodes[b].unit)) {
      const column = columnOf(nodes[index].position), layer = nodes[index].layer;
      const cell = column.cells.get(layer) || [];
      cell.push(index);
      column.cells.set(layer, cell);
      column.most = Math.max(column.most, cell.length);
    }
    const layerCount = result.model.layers;
    this.left = 46;
    this.row = Math.max(14, Math.min(36, 560 / layerCount));
    const room = Math.max(260, this.host.clientWidth - this.left - 10);
    const few = columns.length <= 40;
    const touched = new Set(circuit.edges.map((edge) => edge.from.key));
    // In a long text, tokens that take no part are slits.
    const least = (column) => few ? 26 : column.most || touched.has("token " + column.position) ? 15 : 3;
    const wish = (spacing) => columns.map((column) => column.most ? Math.max(column.most * spacing + 8, least(column)) : least(column));
    const total = (list) => list.reduce((sum, width) => sum + width, 0);
    let widths = wish(15);
    for (let spacing = 14; total(widths) > room && spacing >= 7; spacing--) widths = wish(spacing);
    // What is left over goes to the columns that hold something.
    const spare = room - total(widths);
    if (spare > 0) {
      const weight = columns.map((column) => (column.most ? 1 + column.most : 0.7));
      const whole = total(weight);
      widths = widths.map((width, index) => width + spare * weight[index] / whole);
    }
    this.width = this.left + total(widths) + 10;
    this.top = 40;
    this.floor = this.top + this.row * (layerCount + 0.5);
    this.points = new Map();
    this.columns = columns;
    let x = this.left;
    columns.forEach((column, index) => {
      Object.assign(column, { x, width: widths[index] });
      for (const [layer, cell] of column.cells) {
        const step = widths[index] / cell.length;
        cell.forEach((node, at) => this.points.set("node " + node, { x: x + (at + 0.5) * step, y: this.y(layer) + this.lift(node) }));
      }
      if (column.position !== null && (hasSources || isPlaced)) {
        this.points.set("token " + column.position, { x: x + widths[index] / 2, y: this.floor });
      }
      x += widths[index];
    });
    const goal = columns.find((column) => column.position === result.metric.position) || columns[columns.length - 1];
    this.points.set("metric", { x: goal ? goal.x + goal.width / 2 : this.left + room / 2, y: this.top - 18 });
    this.most = Math.max(...nodes.map((node) => Math.abs(node.score)), 1e-300);
    this.mostEdge = Math.max(...circuit.edges.map((edge) => Math.abs(edge.attribution)), 1e-300);
    this.longest = columns.reduce((most, column) => Math.max(most, this.labelOf(column).length), 0);
    this.isTurned = columns.some((column) => this.labelOf(column).length * 7.3 > column.width - 4);
    this.height = this.floor + (this.isTurned ? Math.min(104, this.longest * 5.4 + 28) : 34);
  }

  labelOf(column) {
    const name = column.position === null ? "all tokens" : tokenName(tokens[column.position]);
    const letters = Array.from(name);
    return letters.length > 16 ? letters.slice(0, 15).join("") + "\u2026" : name;
  }

  // Of one layer's branches attention comes first: it stands below the line, the MLP above it.
  lift(node) { return result.unit === "branch" ? this.row * (nodes[node].unit ? -0.25 : 0.25) : 0; }

  y(layer) { return this.top + this.row * (result.model.layers - layer - 0.5); }

  radius(score) { return 2.6 + Math.min(6.4, this.row / 2 - 2) * Math.sqrt(Math.abs(score) / this.most); }

  draw() {
    const { circuit, columns, left, width, height, row, floor } = this;
    const svg = drawing("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const touched = new Set(circuit.edges.flatMap((edge) => [edge.from.key, edge.to.key]));
    const layerCount = result.model.layers;
    columns.forEach((column, index) => {
      if (index % 2 === 0) {
        svg.append(drawing("rect", { class: "lane", x: column.x, width: column.width, y: this.top - 4, height: floor - this.top - row * 0.15 }));
      }
    });
    const every = Math.ceil(13 / row);
    for (let layer = 0; layer < layerCount; layer++) {
      svg.append(drawing("line", { class: "row", x1: left, x2: width - 10, y1: this.y(layer), y2: this.y(layer) }));
      if (layer % every === 0 || layer === layerCount - 1 && every < 3) {
        svg.append(drawing("text", { x: left - 9, y: this.y(layer) + 4, "text-anchor": "end" }, String(layer)));
      }
    }
    svg.append(drawing("text", { x: left - 9, y: floor + 4, "text-anchor": "end" }, hasSources ? "token" : ""));
    this.lines = circuit.edges.map((edge) => {
      const from = this.points.get(edge.from.key), to = this.points.get(edge.to.key);
      if (!from || !to) return null;
      const share = Math.abs(edge.attribution) / this.mostEdge, bend = (from.y - to.y) * 0.45;
      const path = drawing("path", { class: "edge" + (edge.attribution < 0 ? " loss" : ""),
        d: `M${from.x.toFixed(1)} ${from.y.toFixed(1)}C${from.x.toFixed(1)} ${(from.y - bend).toFixed(1)} `
          + `${to.x.toFixed(1)} ${(to.y + bend).toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`,
        "stroke-width": (0.5 + 3.2 * Math.sqrt(share)).toFixed(2), "stroke-opacity": (0.14 + 0.5 * Math.sqrt(share)).toFixed(2) });
      return { edge, path, opacity: path.getAttribute("stroke-opacity") };
    }).filter(Boolean);
    // The strongest edges are drawn last, above the others.
    svg.append(...this.lines.map((line) => line.path).reverse());
    this.marks = new Map();
    this.names = new Map();
    const add = (key, mark) => {
      mark.dataset.key = key;
      this.marks.set(key, mark);
      svg.append(mark);
    };
    if (nodes.length) {
      const goal = this.points.get("metric");
      add("metric", drawing("rect", { class: "node goal", x: goal.x - 6, y: goal.y - 6, width: 12, height: 12, rx: 2 }));
      const isRight = goal.x > width / 2;
      svg.append(drawing("text", { class: "strong", x: goal.x + (isRight ? -13 : 13), y: goal.y + 4,
        "text-anchor": isRight ? "end" : "start" }, metricOf(result.metric)));
    }
    columns.forEach((column) => {
      const key = "token " + column.position, middle = column.x + column.width / 2;
      const isLit = column.position === null || column.most || touched.has(key);
      if (!isLit && column.width < 13) return;
      if (hasSources && column.position !== null) {
        add(key, drawing("rect", { class: "node token" + (touched.has(key) ? "" : " dim"), x: middle - 4, y: floor - 4, width: 8, height: 8, rx: 1.5 }));
      }
      const place = this.isTurned ? { transform: `translate(${middle + 4} ${floor + 16}) rotate(-42)`, "text-anchor": "end" }
        : { x: middle, y: floor + 22, "text-anchor": "middle" };
      const name = drawing("text", { class: "name" + (isLit ? "" : " dim"), ...place }, this.labelOf(column));
      this.names.set(key, name);
      svg.append(name);
    });
    // Small discs above large ones.
    const order = [...circuit.nodes].sort((a, b) => Math.abs(nodes[b].score) - Math.abs(nodes[a].score));
    for (const index of order) {
      const point = this.points.get("node " + index);
      add("node " + index, drawing("circle", { class: "node" + (nodes[index].score < 0 ? " loss" : ""),
        cx: point.x.toFixed(1), cy: point.y.toFixed(1), r: this.radius(nodes[index].score).toFixed(2) }));
    }
    this.host.replaceChildren(svg);
  }

  // The selected node, or the one under the pointer, with its edges; the rest steps back.
  mark() {
    const focus = this.over ?? this.here;
    const near = new Set(focus ? [focus] : []);
    for (const { edge, path, opacity } of this.lines) {
      const isNear = edge.from.key === focus || edge.to.key === focus;
      if (isNear) near.add(edge.from.key).add(edge.to.key);
      path.setAttribute("stroke-opacity", !focus ? opacity : isNear ? 0.85 : 0.05);
    }
    for (const [key, mark] of this.marks) {
      mark.classList.toggle("here", key === this.here);
      mark.classList.toggle("near", key !== this.here && near.has(key));
      if (!mark.classList.contains("token")) mark.classList.toggle("dim", Boolean(focus) && hasEdges && !near.has(key));
    }
  }

  select(key) {
    this.here = key;
    this.mark();
    const point = key && this.points.get(key);
    if (!point) return;
    const view = this.host;
    if (point.x < view.scrollLeft + this.left) view.scrollLeft = point.x - this.left - 30;
    else if (point.x > view.scrollLeft + view.clientWidth) view.scrollLeft = point.x + 40 - view.clientWidth;
  }

  hover(event, isGone) {
    const key = isGone ? null : this.keyAt(event);
    if (key !== this.over) {
      this.over = key;
      this.mark();
    }
    if (!key) return showTip(event);
    const end = endOf(key);
    if (end.kind === "node") {
      tipOf(event, nodeName(end.place), placeName(nodes[end.place].position), nodes[end.place].score, decimalsOf([this.most]));
    } else if (end.kind === "token") {
      showTip(event, element("p", { class: "who" }, placeName(end.place)), element("h2", {}, "embedding"));
    } else showTip(event, element("p", { class: "who" }, metricOf(result.metric)), element("h2", {}, "the metric"));
  }

  // The next one in a direction: along a layer, or the nearest of the next layer that has any.
  neighbour(key, right, up) {
    const places = [...this.points].filter(([each]) => this.marks.has(each));
    if (!places.length) return null;
    const from = this.points.get(key);
    if (!from || !this.marks.has(key)) return byMass.map((node) => "node " + node).find((each) => this.marks.has(each)) ?? places[0][0];
    if (right) {
      const line = places.filter(([, point]) => point.y === from.y).sort((a, b) => a[1].x - b[1].x);
      const at = line.findIndex(([each]) => each === key) + right;
      return line[Math.max(0, Math.min(line.length - 1, at))][0];
    }
    const beyond = places.filter(([, point]) => up > 0 ? point.y < from.y : point.y > from.y);
    if (!beyond.length) return key;
    const level = up > 0 ? Math.max(...beyond.map(([, point]) => point.y)) : Math.min(...beyond.map(([, point]) => point.y));
    return beyond.filter(([, point]) => point.y === level)
      .sort((a, b) => Math.abs(a[1].x - from.x) - Math.abs(b[1].x - from.x))[0][0];
  }
}
