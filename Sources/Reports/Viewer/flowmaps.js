"use strict";
// Pictures of maps: rows are sources, columns are targets. A map is painted cell by cell into an
// image of its own size, which is drawn enlarged; marks of the selection lie over it and cost nothing.

const palette = {};

function readPalette() {
  const stops = ["loss4", "loss3", "loss2", "loss1", "zero", "gain1", "gain2", "gain3", "gain4"];
  palette.colors = ramp(stops.map(color), 511);
  palette.words = Uint32Array.from(palette.colors, ({ css }) => {
    const [red, green, blue] = css.match(/\d+/g).map(Number);
    return new Uint32Array(new Uint8Array([red, green, blue, 255]).buffer)[0];
  });
  for (const name of ["ink", "quiet", "paper", "line", "mono", "loss"]) palette[name] = color(name);
  palette.font = getComputedStyle(document.body).fontFamily;
}

// A place from -1 to 1 on the scale for a number: linear, by its root, or as a share of its column.
function placeOf(share, scale) {
  const size = Math.min(1, Math.abs(share));
  return Math.sign(share) * (scale === "root" ? Math.sqrt(size) : size);
}

function imageOf(map, scale, limit) {
  const { values, rows, sizes } = map;
  const image = new ImageData(columnCount, rows);
  const out = new Uint32Array(image.data.buffer);
  const weights = Float64Array.from({ length: columnCount }, (_, column) =>
    scale === "share" && !map.isShare ? (sizes[column] ? 1 / (sizes[column] * limit) : 0) : 1 / limit);
  const words = palette.words;
  for (let at = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columnCount; column++, at++) {
      let share = values[at] * weights[column];
      if (scale === "root") share = share < 0 ? -Math.sqrt(-share) : Math.sqrt(share);
      share = share > 1 ? 1 : share < -1 ? -1 : share;
      out[at] = words[Math.round(255 + share * 255)];
    }
  }
  return image;
}

const brush = document.createElement("canvas");

// Draws a map with cells of whole pixels at a place of a canvas, parted by lines where there is room.
function drawCells(pen, image, x, y, cell) {
  brush.width = image.width;
  brush.height = image.height;
  brush.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(brush, x, y, image.width * cell, image.height * cell);
  if (cell < 8) return;
  pen.fillStyle = palette.paper;
  for (let column = 1; column < image.width; column++) pen.fillRect(x + column * cell, y, 1, image.height * cell);
  for (let row = 1; row < image.height; row++) pen.fillRect(x, y + row * cell, image.width * cell, 1);
}

// Bars of totals under the columns; what did not reach the tolerance is in the colour of a warning and
// has a dot, so that it shows without colour.
function drawTotals(pen, totals, largest, x, y, cell, height) {
  totals.forEach(({ total, isOpen }, column) => {
    const size = largest > 0 ? Math.min(1, Math.abs(total) / largest) * (height - 5) : 0;
    const gap = cell >= 8 ? 1 : 0;
    pen.fillStyle = isOpen ? palette.loss : palette.quiet;
    pen.fillRect(x + column * cell, y + 1, cell - gap, Math.max(total ? 1 : 0, size));
    if (isOpen) {
      pen.fillRect(x + column * cell + Math.max(0, cell / 2 - 2), y + size + 2, Math.min(4, Math.max(2, cell)), 3);
    }
  });
}

// A small map in a grid of them: its canvas, and the marks over it.
class SmallMap {
  constructor(rows = sourceCount) {
    this.rows = rows;
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.node = element("div", { class: "map" }, this.canvas,
      element("i", { class: "column" }), rows === sourceCount ? element("i", { class: "row" }) : null);
  }

  paint(map, totals, most, scale, limit, wanted) {
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const cell = Math.max(1, Math.floor(wanted * ratio / Math.max(columnCount, 8)));
    const foot = totals ? Math.round(20 * ratio) : 0;
    this.cell = cell;
    const width = cell * columnCount, height = cell * this.rows;
    this.canvas.width = width;
    this.canvas.height = height + foot;
    this.canvas.style.width = width / ratio + "px";
    this.node.style.setProperty("--foot", (foot / (height + foot)) * 100 + "%");
    this.foot = foot / (height + foot);
    this.width = width / ratio;
    const pen = this.canvas.getContext("2d");
    drawCells(pen, imageOf(map, scale, limit), 0, 0, cell);
    if (totals) drawTotals(pen, totals, most, 0, height, cell, foot);
  }

  // The cell under a point of the page.
  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columnCount);
    const source = Math.floor(((event.clientY - box.top) / (box.height * (1 - this.foot))) * this.rows);
    return { column: Math.max(0, Math.min(columnCount - 1, column)),
      source: Math.max(0, Math.min(this.rows - 1, source)) };
  }
}

// One layer large, with the names of its tokens and the totals of its targets.
class LargeMap {
  constructor() {
    this.caption = element("p", {});
    this.canvas = element("canvas", { role: "img" });
    this.node = element("div", { class: "focusmap" }, this.caption, this.canvas);
  }

  plan(room) {
    const pen = this.canvas.getContext("2d");
    pen.font = `11.5px ${palette.mono}`;
    const names = result.tokens.map((_, position) => nameOf(position));
    const widest = Math.min(120, Math.ceil(names.reduce((most, name) =>
      Math.max(most, pen.measureText(name).width), 0)));
    this.names = names;
    this.left = widest + 12;
    this.top = Math.min(84, Math.ceil(widest * 0.72) + 22);
    this.foot = 58;
    this.cell = Math.max(4, Math.min(38, Math.floor((room - this.left - 36) / columnCount)));
    this.ratio = Math.min(3, window.devicePixelRatio || 1);
    this.width = this.left + this.cell * columnCount + 34;
    this.height = this.top + this.cell * sourceCount + this.foot;
    this.canvas.width = Math.round(this.width * this.ratio);
    this.canvas.height = Math.round(this.height * this.ratio);
    this.canvas.style.width = this.width + "px";
    this.canvas.style.height = this.height + "px";
  }

  paint(map, totals, most, scale, limit) {
    this.image = imageOf(map, scale, limit);
    Object.assign(this, { map, totals, most, scale, limit });
  }

  // The numbers themselves, where a cell has room for them.
  drawNumbers(pen) {
    const { left, top, cell, map, image, limit } = this;
    const isShare = this.scale === "share";
    const decimals = isShare ? 0 : Math.max(0, decimalsFor(limit) - 1);
    const bytes = image.data;
    pen.font = `10px ${palette.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (let at = 0; at < map.values.length; at++) {
      const column = at % columnCount, row = (at - column) / columnCount;
      const value = !isShare || map.isShare ? map.values[at] : map.values[at] / (map.sizes[column] || 1);
      if (!value) continue;
      const light = bytes[4 * at] * 0.3 + bytes[4 * at + 1] * 0.59 + bytes[4 * at + 2] * 0.11;
      pen.fillStyle = light > 128 ? "#1b1d21" : "#f4f4f1";
      pen.fillText(isShare ? fixed(100 * value, 0, false) + "%" : fixed(value, decimals, false),
        left + (column + 0.5) * cell + 0.5, top + (row + 0.5) * cell + 0.5);
    }
  }

  draw(column, source) {
    const { left, top, cell, ratio, names } = this;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    drawCells(pen, this.image, left, top, cell);
    if (cell >= 34) this.drawNumbers(pen);
    const bottom = top + cell * sourceCount;
    drawTotals(pen, this.totals, this.most, left, bottom + 4, cell, 34);
    pen.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(13 / cell));
    pen.textAlign = "right";
    for (let row = 0; row < sourceCount; row++) {
      const isHere = row === source;
      if (!isHere && (row % every || Math.abs(row - source) < every)) continue;
      pen.font = `${isHere ? "700 " : ""}11.5px ${palette.mono}`;
      pen.fillStyle = isHere ? palette.ink : palette.quiet;
      pen.fillText(fitted(pen, names[row], left - 10), left - 6, top + (row + 0.5) * cell);
    }
    pen.textAlign = "left";
    const step = Math.max(1, Math.ceil(15 / cell));
    for (let at = 0; at < columnCount; at++) {
      const isHere = at === column;
      if (!isHere && (at % step || Math.abs(at - column) < step)) continue;
      pen.save();
      pen.translate(left + (at + 0.5) * cell, top - 5);
      pen.rotate(-0.85);
      pen.font = `${isHere ? "700 " : ""}11.5px ${palette.mono}`;
      pen.fillStyle = isHere ? palette.ink : palette.quiet;
      pen.fillText(fitted(pen, names[targets[at]], (top - 20) / 0.75), 0, 0);
      pen.restore();
    }
    pen.font = `11px ${palette.font}`;
    pen.fillStyle = palette.quiet;
    pen.textAlign = "right";
    pen.fillText("source \u2193", left - 6, top - 8);
    pen.textAlign = "left";
    pen.fillText("target \u2192", 0, 10);
    pen.textAlign = "right";
    pen.fillText("total", left - 6, bottom + 12);
    pen.textAlign = "left";
    if (this.totals.some((total) => total.isOpen)) {
      pen.fillStyle = palette.loss;
      pen.fillText("\u25aa above the tolerance", left, bottom + 50);
    }
    pen.strokeStyle = palette.ink;
    pen.lineWidth = 1.5;
    pen.strokeRect(left + column * cell - 0.5, top - 0.5, cell, cell * sourceCount);
    pen.strokeRect(left - 0.5, top + source * cell - 0.5, cell * columnCount, cell);
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - this.left) / this.cell);
    const source = Math.floor((event.clientY - box.top - this.top) / this.cell);
    const isInside = column >= 0 && column < columnCount && source >= 0
      && event.clientY - box.top < this.height;
    return isInside ? { column, source: Math.min(source, sourceCount - 1),
      isTotal: source >= sourceCount } : null;
  }
}

function fitted(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  const parts = Array.from(text).slice(0, 60);
  while (parts.length && pen.measureText(parts.join("") + "\u2026").width > room) parts.pop();
  return parts.join("") + "\u2026";
}

// The colours with their numbers: the same for every map that is shown.
function drawLegend(canvas, scale, limit, isShare) {
  const width = 240, height = 34, edge = 26;
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const span = width - 2 * edge;
  for (let x = 0; x < span; x++) {
    pen.fillStyle = palette.colors[Math.round((x / (span - 1)) * 510)].css;
    pen.fillRect(edge + x, 4, 1.5, 10);
  }
  pen.font = `11px ${palette.font}`;
  pen.fillStyle = palette.quiet;
  pen.textAlign = "center";
  const text = (value) => isShare ? fixed(100 * value, limit < 0.1 ? 1 : 0, false) + "%"
    : fixed(value, Math.max(0, decimalsFor(limit) - 2), false);
  const marks = [-1, -0.25, 0, 0.25, 1].filter((mark) => scale === "root" || Math.abs(mark) !== 0.25);
  for (const mark of marks) {
    pen.fillText(mark ? text(mark * limit) : "0", edge + (1 + placeOf(mark, scale)) / 2 * span, 28);
  }
  canvas.setAttribute("aria-label", `colour scale from ${text(-limit)} to ${text(limit)}`
    + (scale === "root" ? ", by the root of the size" : ""));
}
