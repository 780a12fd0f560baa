"use strict";
// Layers × tokens, or layers × heads: one canvas for the cells, one for the layers' names, one for their
// sums. The last layer is at the top, as in the model's drawing.

class ScoreGrid {
  constructor() {
    for (const name of ["grid", "gridlabels", "gridroom", "gridcanvas", "gridsums"]) this[name] = byId(name);
  }

  // rows: names from the first layer up; columns: names; values[row][column].
  show(rows, columns, values) {
    Object.assign(this, { rows, columns, values });
    this.largest = values.reduce((most, row) => row.reduce((inner, value) =>
      Math.max(inner, Math.abs(value)), most), 0) || 1;
    this.sums = values.map((row) => row.reduce((sum, value) => sum + value, 0));
    this.layout();
  }

  layout() {
    if (!this.rows) return;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const isNarrow = innerWidth < 600;
    this.left = isNarrow ? 34 : 58;
    this.right = isNarrow ? 74 : 128;
    const room = this.grid.parentElement.clientWidth - this.left - this.right - 2;
    const most = Math.floor(16000 / ratio);
    this.cell = Math.max(1, Math.min(92, Math.max(11, room / this.columns.length), most / this.columns.length));
    this.row = Math.max(10, Math.min(26, 620 / this.rows.length));
    const probe = this.gridcanvas.getContext("2d");
    probe.font = this.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const longest = Math.max(...this.columns.map((name) => probe.measureText(name).width));
    this.isTurned = longest > this.cell - 6;
    this.foot = this.isTurned ? Math.min(92, Math.max(26, longest * 0.78 + 14)) : 22;
    this.width = Math.max(1, Math.round(this.cell * this.columns.length));
    // Turned names begin left of their cell: the first ones need no more room than the layers' names have.
    this.height = Math.round(this.row * this.rows.length + this.foot);
    for (const [canvas, width] of [[this.gridlabels, this.left], [this.gridcanvas, this.width],
      [this.gridsums, this.right]]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(this.height * ratio);
      canvas.style.width = width + "px";
      canvas.style.height = this.height + "px";
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.theme();
  }

  theme() {
    const names = ["loss4", "loss3", "loss2", "loss1", "zero", "gain1", "gain2", "gain3", "gain4"];
    this.colors = ramp(names.map(color), 511);
    Object.assign(this, { ink: color("ink"), quiet: color("quiet"), paper: color("paper"), gain: color("gain"),
      loss: color("loss"), line: color("line") });
    this.draw();
  }

  // A square-root scale: small scores stay visible beside a large one.
  shade(value) {
    const share = Math.sign(value) * Math.sqrt(Math.min(1, Math.abs(value) / this.largest));
    return this.colors[Math.round((share + 1) / 2 * 510)];
  }

  y(row) { return (this.rows.length - 1 - row) * this.row; }

  draw() {
    const { cell, row: tall } = this;
    const context = this.gridcanvas.getContext("2d");
    context.clearRect(0, 0, this.width, this.height);
    const gap = cell > 6 ? 1 : 0;
    this.values.forEach((values, row) => values.forEach((value, column) => {
      context.fillStyle = this.shade(value).css;
      context.fillRect(column * cell, this.y(row), cell - gap, tall - 1);
    }));
    context.font = this.font;
    context.textBaseline = "middle";
    const every = Math.ceil(13 / cell);
    this.columns.forEach((name, column) => {
      if (column % every && column !== this.column) return;
      context.fillStyle = column === this.column ? this.ink : this.quiet;
      const x = (column + 0.5) * cell, y = this.y(0) + tall;
      context.save();
      if (this.isTurned) {
        context.translate(x + 3, y + 6);
        context.rotate(-0.9);
        context.textAlign = "right";
        context.fillText(cutText(context, name, 104), 0, 0);
      } else {
        context.textAlign = "center";
        context.fillText(name, x, y + 11);
      }
      context.restore();
    });
    this.drawSides();
  }

  drawSides() {
    const { row: tall, ink, quiet } = this;
    const labels = this.gridlabels.getContext("2d"), sums = this.gridsums.getContext("2d");
    labels.clearRect(0, 0, this.left, this.height);
    sums.clearRect(0, 0, this.right, this.height);
    labels.font = sums.font = this.font;
    labels.textBaseline = sums.textBaseline = "middle";
    labels.textAlign = "right";
    const every = Math.ceil(13 / tall);
    const most = this.sums.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
    const low = Math.min(0, ...this.sums), high = Math.max(0, ...this.sums);
    const start = 12, text = innerWidth < 600 ? 0 : 56;
    const room = this.right - start - text - 2, zero = start + (-low / (high - low || 1)) * room;
    const decimals = Math.max(1, decimalsOf(this.sums, 2) - 1);
    this.rows.forEach((name, row) => {
      const middle = this.y(row) + (tall - 1) / 2;
      const isHere = row === this.selected;
      labels.fillStyle = isHere ? ink : quiet;
      if (row % every === 0 || isHere) labels.fillText(name, this.left - 7, middle + 0.5);
      const value = this.sums[row], wide = Math.max(1, (Math.abs(value) / (high - low || 1)) * room);
      sums.fillStyle = value < 0 ? this.loss : this.gain;
      if (most) sums.fillRect(value < 0 ? zero - wide : zero, this.y(row) + tall * 0.18, wide, Math.max(1, tall * 0.6));
      if (text && (row % every === 0 || isHere)) {
        sums.textAlign = "right";
        sums.fillStyle = isHere ? ink : quiet;
        sums.fillText(fixed(value, decimals, true), this.right - 2, middle + 0.5);
      }
    });
    sums.fillStyle = this.line;
    sums.fillRect(Math.round(zero), 0, 1, tall * this.rows.length);
    sums.textAlign = "left";
    sums.fillStyle = quiet;
    sums.fillText("sum", start, this.y(0) + tall + 11);
    labels.fillStyle = quiet;
    labels.fillText("layer", this.left - 7, this.y(0) + tall + 11);
  }

  select(row, column) {
    this.selected = row;
    this.column = column;
    this.draw();
    const context = this.gridcanvas.getContext("2d");
    context.strokeStyle = this.ink;
    context.lineWidth = 2;
    context.strokeRect(column * this.cell - (this.cell > 6 ? 1 : 0), this.y(row) - 1, this.cell + 1, this.row + 1);
    const from = column * this.cell, view = this.gridroom;
    if (from < view.scrollLeft) view.scrollLeft = from - 20;
    else if (from + this.cell > view.scrollLeft + view.clientWidth) view.scrollLeft = from + this.cell + 20 - view.clientWidth;
  }

  cellAt(event) {
    const box = this.gridcanvas.getBoundingClientRect();
    const row = this.rows.length - 1 - Math.floor((event.clientY - box.top) / this.row);
    const column = Math.floor((event.clientX - box.left) / this.cell);
    return row >= 0 && row < this.rows.length && event.clientX >= box.left && column < this.columns.length
      ? { row, column } : null;
  }

  drawScale(canvas) {
    const ratio = Math.min(3, window.devicePixelRatio || 1), width = 240, height = 34;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (let x = 0; x < width; x++) {
      context.fillStyle = this.colors[Math.round((x / (width - 1)) * 510)].css;
      context.fillRect(x, 3, 1, 10);
    }
    context.font = this.font;
    context.fillStyle = this.quiet;
    context.textBaseline = "alphabetic";
    const decimals = Math.max(1, decimalsOf([this.largest], 2) - 1);
    [[0, -1, "left"], [60, -0.25, "center"], [120, 0, "center"], [180, 0.25, "center"], [240, 1, "right"]]
      .forEach(([x, share, align]) => {
        context.textAlign = align;
        context.fillText(share ? fixed(share * this.largest, decimals, true) : "0", x, 28);
      });
    canvas.setAttribute("aria-label", `colour from ${fixed(-this.largest, decimals, true)} to `
      + `${fixed(this.largest, decimals, true)}, by the root of the size`);
  }
}

function cutText(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  const letters = Array.from(text);
  while (letters.length && context.measureText(letters.join("") + "\u2026").width > room) letters.pop();
  return letters.join("") + "\u2026";
}
