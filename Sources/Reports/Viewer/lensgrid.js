"use strict";
// Layers × tokens on one canvas, the first layer at the bottom. Only what is in sight is drawn,
// and the names of layers and tokens stay in sight while the cells scroll under them.

// Colours between stops, as CSS text with their lightness.
function lensRamp(stops, steps) {
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

class LensGrid {
  constructor(host, sizer, canvas, scale) {
    Object.assign(this, { host, sizer, canvas, scale, column: 0, row: 0, isWide: true });
    this.fitted = new Map();
    host.addEventListener("scroll", () => this.redraw(), { passive: true });
  }

  // rows[layer][column] are readings; names are those of rows, targets and tokens.
  load(rows, names, targets, tokens, positions, ids) {
    Object.assign(this, { rows, names, targets, tokens, positions, ids });
    this.tops = rows.map((cells) =>
      cells.map((cell) => cell.top.length ? tokenName(cell.top[0]) : ""));
    this.hits = rows.map((cells) => cells.map((cell, column) =>
      cell.top.length > 0 && cell.top[0].id === ids[column]));
  }

  // share(cell) is from 0 to 1; the ramp runs from nothing to gain or to loss.
  show(share, isLoss, marks) {
    this.shares = this.rows.map((cells) => Float32Array.from(cells, share));
    this.isLoss = isLoss;
    this.marks = marks;
    this.layout();
  }

  layout() {
    const count = this.positions.length;
    const width = this.host.clientWidth;
    this.gutter = 50;
    this.head = 42;
    this.foot = 24;
    this.height = this.rows.length > 48 ? 18 : 22;
    const room = width - this.gutter - 2;
    this.slot = this.isWide ? Math.max(68, Math.min(120, room / Math.max(1, count)))
      : Math.max(3, Math.min(120, room / Math.max(1, count)));
    const fullWidth = Math.ceil(this.gutter + count * this.slot + 2);
    const fullHeight = this.head + this.rows.length * this.height + this.foot;
    this.sizer.style.width = fullWidth + "px";
    this.sizer.style.height = fullHeight + "px";
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    this.ratio = ratio;
    this.wide = Math.max(1, Math.min(this.host.clientWidth, fullWidth));
    this.tall = Math.max(1, Math.min(this.host.clientHeight, fullHeight));
    this.canvas.width = Math.round(this.wide * ratio);
    this.canvas.height = Math.round(this.tall * ratio);
    this.canvas.style.width = this.wide + "px";
    this.canvas.style.height = this.tall + "px";
    this.theme();
  }

  theme() {
    const kind = this.isLoss ? "loss" : "gain";
    this.colors = lensRamp(["zero", kind + 1, kind + 2, kind + 3, kind + 4].map(color), 256);
    for (const name of ["ink", "quiet", "paper", "line", "mono"]) this[name] = color(name);
    this.font = getComputedStyle(document.body).fontFamily;
    this.fitted.clear();
    this.redraw();
    this.drawScale();
  }

  select(column, row) {
    Object.assign(this, { column, row });
    const x = column * this.slot, y = (this.rows.length - 1 - row) * this.height;
    const host = this.host;
    const right = x + this.slot - (this.wide - this.gutter);
    const low = y + this.height - (this.tall - this.head - this.foot);
    if (host.scrollLeft > x) host.scrollLeft = x;
    else if (host.scrollLeft < right) host.scrollLeft = right;
    if (host.scrollTop > y) host.scrollTop = y;
    else if (host.scrollTop < low) host.scrollTop = low;
    this.redraw();
  }

  redraw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.shares) this.draw();
    });
  }

  draw() {
    const { slot, height, gutter, head, foot, wide, tall, rows } = this;
    const pen = this.canvas.getContext("2d");
    const left = this.host.scrollLeft, up = this.host.scrollTop;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, wide, tall);
    const count = this.positions.length;
    const first = Math.max(0, Math.floor(left / slot));
    const last = Math.min(count - 1, Math.floor((left + wide - gutter) / slot));
    const firstLine = Math.max(0, Math.floor(up / height));
    const lastLine = Math.min(rows.length - 1, Math.floor((up + tall - head) / height));
    const gap = slot > 7 ? 1 : 0;
    const isText = slot >= 40;
    const size = height < 20 ? 10.5 : 11.5;
    const fonts = [`${size}px ${this.mono}`, `700 ${size}px ${this.mono}`];
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    for (let line = firstLine; line <= lastLine; line++) {
      const row = rows.length - 1 - line;
      const y = head + line * height - up;
      for (let column = first; column <= last; column++) {
        const x = gutter + column * slot - left;
        const fill = this.colors[Math.round(this.shares[row][column] * 255)];
        pen.fillStyle = fill.css;
        pen.fillRect(x, y, slot - gap, height - 1);
        const isHit = this.hits[row][column];
        pen.fillStyle = fill.light > 128 ? "#1b1d21" : "#f4f4f1";
        if (isText) {
          pen.font = fonts[isHit ? 1 : 0];
          pen.fillText(this.fit(pen, this.tops[row][column], slot - 10, isHit),
            x + (slot - gap) / 2, y + height / 2);
          // A mark as well as the weight where the first token is the target.
          if (isHit) pen.fillRect(x, y, 3, height - 1);
        } else if (isHit && slot >= 6) {
          pen.fillRect(x + (slot - gap) / 2 - 1, y + height / 2 - 1.5, 2, 2);
        }
      }
    }
    this.drawMark(pen, left, up);
    // What stands still covers what scrolls under it.
    pen.fillStyle = this.paper;
    pen.fillRect(0, 0, gutter - 1, tall);
    pen.fillRect(0, 0, wide, head - 1);
    pen.fillRect(0, tall - foot, wide, foot);
    pen.font = `11.5px ${this.font}`;
    pen.textAlign = "right";
    pen.save();
    pen.beginPath();
    pen.rect(0, head - 2, gutter, tall - head - foot + 2);
    pen.clip();
    for (let line = firstLine; line <= lastLine; line++) {
      const row = rows.length - 1 - line;
      pen.fillStyle = row === this.row ? this.ink : this.quiet;
      pen.fillText(this.names[row], gutter - 8, head + line * height - up + height / 2);
    }
    pen.restore();
    pen.fillStyle = this.quiet;
    pen.fillText("position", gutter - 4, 10);
    if (isText) {
      pen.fillText("target", gutter - 4, 29);
      pen.fillText("token", gutter - 4, tall - foot / 2);
    }
    pen.save();
    pen.beginPath();
    pen.rect(gutter, 0, wide - gutter, tall);
    pen.clip();
    pen.textAlign = "center";
    const every = isText ? 1 : [1, 2, 5, 10, 20, 50, 100].find((n) => n * slot >= 34) || 100;
    for (let column = first; column <= last; column++) {
      const x = gutter + column * slot - left + (slot - gap) / 2;
      const isHere = column === this.column;
      pen.fillStyle = isHere ? this.ink : this.quiet;
      pen.font = `${isHere ? "600 " : ""}11px ${this.font}`;
      if (column % every === 0) pen.fillText(String(this.positions[column]), x, 10);
      if (!isText) continue;
      const isRight = this.hits[rows.length - 1][column];
      pen.fillStyle = this.ink;
      pen.font = fonts[isHere ? 1 : 0];
      const target = this.targets[column] + (isRight ? " *" : "");
      pen.fillText(this.fit(pen, target, slot - 4, isHere), x, 29);
      pen.fillText(this.fit(pen, this.tokens[column], slot - 4, isHere), x, tall - foot / 2);
    }
    pen.restore();
  }

  drawMark(pen, left, up) {
    const x = this.gutter + this.column * this.slot - left;
    const y = this.head + (this.rows.length - 1 - this.row) * this.height - up;
    const wide = Math.max(4, this.slot - 1);
    pen.lineWidth = 2;
    pen.strokeStyle = this.ink;
    pen.strokeRect(x - 1, y - 1, wide + 2, this.height + 1);
    // A second, inner line keeps the mark visible on a cell of the ink's own lightness.
    pen.lineWidth = 1;
    pen.strokeStyle = this.paper;
    pen.strokeRect(x + 0.5, y + 0.5, wide - 1, this.height - 2);
  }

  fit(pen, text, room, isBold) {
    const key = (isBold ? "b" : "n") + Math.round(room) + text;
    const known = this.fitted.get(key);
    if (known !== undefined) return known;
    let shown = text;
    if (pen.measureText(text).width > room) {
      const parts = Array.from(text).slice(0, 60);
      while (parts.length && pen.measureText(parts.join("") + "\u2026").width > room) parts.pop();
      shown = parts.join("") + "\u2026";
    }
    this.fitted.set(key, shown);
    return shown;
  }

  // The cell under a point of the page, or nothing.
  cell(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    if (x < this.gutter || y < this.head || y > this.tall - this.foot) return null;
    const column = Math.floor((x - this.gutter + this.host.scrollLeft) / this.slot);
    const line = Math.floor((y - this.head + this.host.scrollTop) / this.height);
    const row = this.rows.length - 1 - line;
    const isInside = column >= 0 && column < this.positions.length && row >= 0
      && row < this.rows.length;
    return isInside ? { column, row } : null;
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
      pen.fillStyle = this.colors[Math.round((x / (span - 1)) * 255)].css;
      pen.fillRect(edge + x, 4, 1.5, 10);
    }
    pen.font = `11px ${this.font}`;
    pen.fillStyle = this.quiet;
    pen.textAlign = "center";
    for (const [share, text] of this.marks) pen.fillText(text, edge + share * span, 28);
    const texts = this.marks.map((mark) => mark[1]);
    canvas.setAttribute("aria-label", "colour scale: " + texts.join(", "));
  }
}
