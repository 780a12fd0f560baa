"use strict";
// Tokens × layers on one canvas, of which only what is in sight is drawn: 512 tokens of 80 layers
// scroll as smoothly as eight.

// Colours between stops, as CSS text, with the stop of zero in the middle for signed measures.
function ramp(stops, steps) {
  const parse = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const colors = stops.map(parse);
  return Array.from({ length: steps }, (_, step) => {
    const at = (step / (steps - 1)) * (colors.length - 1);
    const first = Math.min(colors.length - 2, Math.floor(at));
    const mix = colors[first].map((channel, index) =>
      Math.round(channel + (colors[first + 1][index] - channel) * (at - first)));
    return { css: `rgb(${mix.join(",")})`, light: mix[0] * 0.3 + mix[1] * 0.59 + mix[2] * 0.11 };
  });
}

class HeatMap {
  constructor(host, sizer, canvas, scale) {
    Object.assign(this, { host, sizer, canvas, scale, rows: [], row: -1, layer: -1 });
    host.addEventListener("scroll", () => this.redraw(), { passive: true });
  }

  // Rows are explanations; measure(attribution) is the number of a cell, signed or from zero up.
  show(rows, measure, isSigned) {
    this.rows = rows;
    this.layers = rows.length ? rows[0].attributions.map((layer) => layer.layer) : [];
    const count = this.layers.length;
    this.values = new Float64Array(rows.length * count);
    let largest = 0;
    rows.forEach((explanation, row) => {
      for (let layer = 0; layer < count; layer++) {
        const attribution = explanation.attributions[layer];
        const value = attribution ? measure(attribution) ?? 0 : 0;
        this.values[row * count + layer] = value;
        largest = Math.max(largest, Math.abs(value));
      }
    });
    this.largest = largest || 1;
    this.isSigned = isSigned;
    this.onsets = rows.map((explanation) => explanation.attributions
      .findIndex((layer) => layer.layer === explanation.onset_layer));
    this.names = rows.map((explanation) => targetName(explanation.target));
    this.layout();
  }

  layout() {
    const rows = this.rows.length;
    this.rowHeight = rows <= 12 ? 26 : 20;
    this.head = 24;
    const full = rows * this.rowHeight + this.head + 2;
    const limit = Math.max(220, Math.round(window.innerHeight * 0.62));
    this.host.style.height = Math.min(full, limit) + "px";
    this.sizer.style.height = full + "px";
    this.plan = planOf(this.host.clientWidth, this.layers.length);
    this.view = this.host.clientHeight;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(this.plan.width * ratio));
    this.canvas.height = Math.max(1, Math.round(this.view * ratio));
    this.canvas.style.width = this.plan.width + "px";
    this.canvas.style.height = this.view + "px";
    this.ratio = ratio;
    this.theme();
  }

  theme() {
    const names = ["loss4", "loss3", "loss2", "loss1", "zero", "gain1", "gain2", "gain3", "gain4"];
    const stops = names.map(color);
    this.colors = ramp(this.isSigned ? stops : stops.slice(4), 511);
    this.ink = color("ink");
    this.quiet = color("quiet");
    this.paper = color("paper");
    this.line = color("line");
    this.font = getComputedStyle(document.body).fontFamily;
    this.mono = color("mono");
    this.redraw();
    this.drawScale();
  }

  // A square-root scale: small changes stay visible beside a large one. The legend has its numbers.
  color(value) {
    const share = Math.sqrt(Math.min(1, Math.abs(value) / this.largest));
    const at = this.isSigned ? 255 + Math.sign(value) * share * 255 : share * 510;
    return this.colors[Math.round(at)];
  }

  select(row, layer) {
    this.row = row;
    this.layer = layer;
    if (row >= 0) {
      const top = row * this.rowHeight;
      const room = this.view - this.head - this.rowHeight;
      if (this.host.scrollTop > top) this.host.scrollTop = top;
      else if (top > this.host.scrollTop + room) this.host.scrollTop = top - room;
    }
    this.redraw();
  }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.plan) this.draw();
    });
  }

  draw() {
    const { plan, rowHeight, head } = this;
    const pen = this.canvas.getContext("2d");
    const count = this.layers.length;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, plan.width, this.view);
    const scroll = this.host.scrollTop;
    const first = Math.max(0, Math.floor(scroll / rowHeight));
    const last = Math.min(this.rows.length - 1, Math.ceil((scroll + this.view) / rowHeight));
    const gap = plan.slot > 7 ? 1 : 0;
    const isText = plan.slot >= 46;
    pen.textBaseline = "middle";
    for (let row = first; row <= last; row++) {
      const y = head + row * rowHeight - scroll;
      const isRow = row === this.row;
      pen.textAlign = "right";
      pen.font = `${isRow ? "600 " : ""}12.5px ${this.mono}`;
      pen.fillStyle = isRow ? this.ink : this.quiet;
      pen.fillText(this.fit(pen, this.names[row], plan.gutter - 16), plan.gutter - 8,
        y + rowHeight / 2);
      for (let layer = 0; layer < count; layer++) {
        const value = this.values[row * count + layer];
        const x = plan.start + layer * plan.slot;
        const fill = this.color(value);
        pen.fillStyle = fill.css;
        pen.fillRect(x, y, plan.slot - gap, rowHeight - 1);
        if (isText) {
          pen.fillStyle = fill.light > 128 ? "#1b1d21" : "#f4f4f1";
          pen.textAlign = "center";
          pen.font = `11.5px ${this.font}`;
          pen.fillText(fixed(value, this.largest < 0.01 ? 5 : this.largest < 10 ? 3 : 1,
            this.isSigned), x + plan.slot / 2, y + rowHeight / 2);
        }
      }
      if (this.onsets[row] >= 0) {
        pen.fillStyle = this.ink;
        pen.fillRect(plan.start + this.onsets[row] * plan.slot - 1, y + 2, 2, rowHeight - 5);
      }
      const model = this.rows[row].model_value;
      pen.textAlign = "right";
      pen.font = `${isRow ? "600 " : ""}12px ${this.font}`;
      pen.fillStyle = isRow ? this.ink : this.quiet;
      const digits = plan.model < 50 ? 2 : 3;
      pen.fillText(fixed(model, Math.abs(model) < 10 ? digits : 1, false), plan.width - 4,
        y + rowHeight / 2);
    }
    if (this.row >= 0 && this.layer >= 0) {
      const y = head + this.row * rowHeight - scroll;
      const x = plan.start + this.layer * plan.slot;
      pen.lineWidth = 2;
      pen.strokeStyle = this.ink;
      const wide = Math.max(4, plan.slot - gap);
      pen.strokeRect(x - 1, y - 1, wide + 2, rowHeight + 1);
      // A second, inner line keeps the mark visible on a cell of the ink's own lightness.
      pen.lineWidth = 1;
      pen.strokeStyle = this.paper;
      pen.strokeRect(x + 0.5, y + 0.5, wide - 1, rowHeight - 2);
    }
    // The head covers rows that scroll under it.
    pen.fillStyle = this.paper;
    pen.fillRect(0, 0, plan.width, head - 1);
    pen.font = `11.5px ${this.font}`;
    pen.textAlign = "center";
    layerLabels(plan, this.layers).forEach((text, index) => {
      if (!text && index !== this.layer) return;
      pen.fillStyle = index === this.layer ? this.ink : this.quiet;
      if (text) pen.fillText(text, plan.center(index), head / 2);
    });
    pen.fillStyle = this.quiet;
    pen.textAlign = "right";
    pen.fillText(plan.width < 560 ? "out" : "model", plan.width - 4, head / 2);
    pen.fillText("token", plan.gutter - 8, head / 2);
  }

  fit(pen, text, room) {
    if (pen.measureText(text).width <= room) return text;
    const parts = Array.from(text);
    while (parts.length && pen.measureText(parts.join("") + "\u2026").width > room) parts.pop();
    return parts.join("") + "\u2026";
  }

  // The cell under a point of the page, or nothing.
  cell(event) {
    const box = this.canvas.getBoundingClientRect();
    const y = event.clientY - box.top;
    if (y < this.head) return null;
    const row = Math.floor((y - this.head + this.host.scrollTop) / this.rowHeight);
    const layer = this.plan.at(event.clientX - box.left);
    if (row < 0 || row >= this.rows.length) return null;
    return { row, layer: layer >= 0 && layer < this.layers.length ? layer : -1 };
  }

  drawScale() {
    const width = 240, height = 34, edge = 24;
    const canvas = this.scale;
    canvas.width = width * this.ratio;
    canvas.height = height * this.ratio;
    const pen = canvas.getContext("2d");
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const span = width - 2 * edge;
    for (let x = 0; x < span; x++) {
      pen.fillStyle = this.colors[Math.round((x / (span - 1)) * 510)].css;
      pen.fillRect(edge + x, 4, 1.5, 10);
    }
    pen.font = `11px ${this.font}`;
    pen.fillStyle = this.quiet;
    pen.textAlign = "center";
    const digits = Math.max(0, Math.min(9, 2 - Math.floor(Math.log10(this.largest))));
    const shares = this.isSigned ? [-1, -0.25, 0, 0.25, 1] : [0, 0.25, 1];
    for (const share of shares) {
      const root = Math.sign(share) * Math.sqrt(Math.abs(share));
      const at = edge + span * (this.isSigned ? (root + 1) / 2 : root);
      pen.fillRect(Math.min(edge + span - 1, at), 15, 1, 3);
      pen.fillText(share === 0 ? "0" : fixed(share * this.largest, digits, this.isSigned), at, 29);
    }
    const low = this.isSigned ? fixed(-this.largest, digits, true) : "0";
    canvas.setAttribute("aria-label",
      `Colour scale from ${low} to ${fixed(this.largest, digits, this.isSigned)}, `
      + "in proportion to the square root");
  }
}
