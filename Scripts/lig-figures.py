#!/usr/bin/env python3
"""Draws the figures of Guides/LIG.md into Guides/Images, with the standard library alone.

Colours are of middle lightness on no background, so that one file serves light and dark pages. The numbers in
the two columns are of "The cat sat on the mat." in MiniLM, target "cat": of layer 3, and of head 9 of layer 2.
"""

import math
import pathlib

GREY, BLUE, ORANGE, GREEN = "#768390", "#3b82f6", "#e0792b", "#2f9e5b"
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Guides" / "Images"


class Figure:
    """An SVG of a width and height, drawn from above."""

    def __init__(self, width, height, title):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{title}</title>",
        ]

    def add(self, part):
        self.parts.append(part)

    def line(self, x1, y1, x2, y2, colour=GREY, width=1.5, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self.add(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dash}/>'
        )

    def arrow(self, x1, y1, x2, y2, colour=BLUE, gap=7, width=1.8):
        """A line that ends `gap` before its end, with a head."""
        length = math.hypot(x2 - x1, y2 - y1)
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        tip = (x2 - gap * dx, y2 - gap * dy)
        base = (tip[0] - 9 * dx, tip[1] - 9 * dy)
        self.line(x1, y1, *base, colour, width)
        points = [tip, (base[0] - 4 * dy, base[1] + 4 * dx), (base[0] + 4 * dy, base[1] - 4 * dx)]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.add(f'<polygon points="{joined}" fill="{colour}"/>')

    def dot(self, x, y, colour=GREY, radius=5, hollow=False):
        paint = f'fill="none" stroke="{colour}" stroke-width="2"' if hollow else f'fill="{colour}"'
        self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" {paint}/>')

    def box(self, x, y, width, height, colour=GREY, filled=False, radius=4):
        paint = f'fill="{colour}"' if filled else f'fill="none" stroke="{colour}" stroke-width="1.5"'
        self.add(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius}" {paint}/>'
        )

    def text(self, x, y, words, colour=GREY, anchor="middle", weight="normal", size=13):
        self.add(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}" font-size="{size}">{words}</text>'
        )

    def path(self, points, colour=BLUE, width=2):
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.add(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def write(self, name):
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"lig-{name}.svg").write_text("\n".join(self.parts + ["</svg>"]) + "\n")


def block():
    """A block with its three boundaries, for one target."""
    f = Figure(810, 410, "A block from z through u to z′, with both places that u can have")
    rows = {"z": 370, "u": 262, "middle": 162, "next": 42}
    tokens = [180, 270, 360]
    f.text(60, rows["z"] + 5, "z", BLUE, weight="bold", size=17)
    f.text(60, rows["u"] + 5, "u", BLUE, weight="bold", size=17)
    f.text(60, rows["next"] + 5, "z′", BLUE, weight="bold", size=17)
    for place, x in enumerate(tokens):
        for head in range(3):
            f.line(x, rows["z"] - 7, 240 + 30 * head, rows["u"] + 12, GREY, 1)
        f.dot(x, rows["z"], ORANGE if place == 1 else GREY, 6)
        f.text(x, rows["z"] + 24, ["source i", "target j", "source k"][place])
    for head in range(3):
        f.box(228 + 30 * head, rows["u"] - 11, 24, 22, BLUE)
        f.text(240 + 30 * head, rows["u"] + 5, f"h{head}", BLUE, size=11)
    f.text(420, (rows["z"] + rows["u"]) / 2 + 5, "attention: norm, q·k, softmax, α·v", anchor="start")
    f.arrow(270, rows["u"] - 12, 270, rows["middle"] + 22, GREY, 2)
    f.text(282, (rows["u"] + rows["middle"]) / 2 + 9, "W", GREY, "start")
    f.text(293, (rows["u"] + rows["middle"]) / 2 + 12, "O", GREY, "start", size=9)
    f.dot(270, rows["middle"] + 10, GREY, 9, True)
    f.text(270, rows["middle"] + 15, "+")
    # The stream of the target, past the heads.
    f.path([(270, rows["z"] - 7), (270, 348), (136, 348), (136, rows["middle"] + 10), (252, rows["middle"] + 10)],
           ORANGE, 2)
    f.text(128, 210, "z", ORANGE, "end")
    f.text(128, 226, "held", ORANGE, "end", size=11)
    f.arrow(270, rows["middle"] + 1, 270, rows["next"] + 66, GREY, 2)
    f.box(205, 72, 130, 36)
    f.text(270, 95, "feed-forward")
    f.arrow(270, 72, 270, rows["next"], GREY, 8)
    f.dot(270, rows["next"], ORANGE, 6)
    f.line(152, rows["u"], 220, rows["u"], BLUE, 1.5, "5 4")
    f.line(322, rows["u"], 412, rows["u"], BLUE, 1.5, "5 4")
    f.text(420, rows["u"] - 2, "strict: u is the heads’ mixes, joined", BLUE, "start")
    f.text(420, rows["u"] + 15, "(and the target’s z is held)", BLUE, "start", size=11)
    f.line(160, 140, 412, 140, GREEN, 1.5, "5 4")
    f.text(420, 138, "published: u is the stream between,", GREEN, "start")
    f.text(420, 155, "cut into as many equal slices as heads", GREEN, "start", size=11)
    # The three maps.
    for x, top, bottom, name, words in [
        (690, "u", "z", "A", "z → u"), (690, "next", "u", "M", "u → z′"), (750, "next", "z", "Z", "z → z′"),
    ]:
        f.arrow(x, rows[bottom] - 3, x, rows[top] + 3, BLUE, 0)
        middle = (rows[top] + rows[bottom]) / 2
        f.text(x + 8, middle - 2, name, BLUE, "start", "bold", 15)
        f.text(x + 8, middle + 15, words, BLUE, "start", size=11)
    f.write("block")


def plane(name, title, start, ends, labels, target, note, at=(260, 150)):
    """Tokens as points of a plane, and from where they come."""
    f = Figure(520, 250, title)
    if at:
        f.line(20, at[1], 500, at[1], GREY, 0.7)
        f.line(at[0], 15, at[0], 235, GREY, 0.7)
        f.text(at[0] - 10, at[1] + 18, "0", anchor="end")
    for place, (x, y) in enumerate(ends):
        isTarget = place == target
        if (x, y) != start:
            f.arrow(*start, x, y, ORANGE if isTarget else BLUE, 8)
        f.dot(x, y, ORANGE if isTarget else BLUE, 5.5)
        side = 14 if x >= at[0] else -14
        f.text(x + side, y - 4, labels[place], ORANGE if isTarget else BLUE,
               "start" if side > 0 else "end")
    f.dot(*start, ORANGE if start in ends else GREY, 9, True)
    f.text(20, 228, note, anchor="start")
    f.write(name)


TOKENS = [(330, 45), (445, 95), (120, 60), (150, 195)]
NAMES = ["z of j", "z of k", "z of i", "z of l"]


def zero():
    plane("zero", "Zero: every token starts at 0", (260, 150), TOKENS, NAMES, 0, "start: 0, for every token")


def itb():
    plane("itb", "ITB: every token starts at the target’s own vector", TOKENS[0], TOKENS, NAMES, 0,
          "start: z of j, for every token; j stays")


WORDS = ["[CLS]", "the", "cat", "sat", "on", "the", "mat", ".", "[SEP]"]


def columns(name, title, panels):
    """Columns of one target side by side, the target's own entry in orange."""
    f = Figure(640, 250, title)
    width = 132
    for place, (head, values, colour, note) in enumerate(panels):
        left = 64 + place * 198
        f.text(left + width / 2, 20, head, weight="bold")
        scale = width / max(abs(v) for v in values)
        for row, value in enumerate(values):
            y = 34 + 20 * row
            if place == 0:
                f.text(56, y + 12, WORDS[row], ORANGE if row == 2 else GREY, "end", size=12)
            long = abs(value) * scale
            if long >= 0.5:
                f.box(left, y + 2, long, 13, ORANGE if row == 2 else colour, True, 2)
            inside = long > 96
            f.text(left + (long - 5 if inside else long + 5), y + 13, f"{value:g}",
                   "#ffffff" if inside else GREY, "end" if inside else "start", size=11)
        f.line(left, 32, left, 214, GREY, 1)
        f.text(left, 236, note, anchor="start", size=12)
        if place == 1:
            f.text(left + width + 38, 122, "→", size=20)
    f.write(name)


def zeroRatio():
    columns(
        "itb-zero-ratio", "ITB-zeroRatio: the target’s share is that of its Zero column",
        [
            ("Zero column w", [0.459, 0.686, 13.558, 0.407, 0.699, 0.761, 0.65, 0.469, 0.324], GREY,
             "f = w of cat / Σ w = 0.753"),
            ("ITB column c", [6.045, 0.688, 0, 0.434, 0.508, 0.571, 0.599, 0.65, 0.394], BLUE,
             "Σ c = 9.890"),
            ("the share put in", [1.495, 0.17, 7.444, 0.107, 0.126, 0.141, 0.148, 0.161, 0.097], BLUE,
             "f Σ c, and (1 − f) c"),
        ])


def mapRatio():
    columns(
        "itb-map-ratio", "ITB-mapRatio: the target’s share is its attention to itself",
        MAP_PANELS)


def attITB():
    """Where u of one head moves to: from 0, or from the target's own value."""
    f = Figure(520, 270, "ATT-ITB for u → z′: a head’s mix starts at the target’s own value")
    values = [(150, 60), (330, 40), (455, 110), (300, 205)]
    labels = ["v of i", "v of k", "v of l", "v of j"]
    mix, own, origin = (318, 92), values[3], (90, 205)
    hull = " ".join(f"{x},{y}" for x, y in [values[0], values[1], values[2], values[3]])
    f.add(f'<polygon points="{hull}" fill="{GREY}" fill-opacity="0.12" stroke="{GREY}" stroke-dasharray="4 4"/>')
    f.arrow(*origin, *mix, GREY, 9)
    f.arrow(*own, *mix, BLUE, 9, 2.4)
    for place, (x, y) in enumerate(values):
        f.dot(x, y, ORANGE if place == 3 else GREY, 5)
        f.text(x + (12 if place else -12), y + (18 if place == 3 else 4), labels[place],
               ORANGE if place == 3 else GREY, "start" if place else "end")
    f.dot(*mix, BLUE, 6)
    f.text(mix[0] + 11, mix[1] - 2, "u = Σ α v", BLUE, "start")
    f.dot(*origin, GREY, 7, True)
    f.text(origin[0] + 14, origin[1] + 5, "0", anchor="start")
    f.text(180, 172, "zero", anchor="start")
    f.text(318, 160, "att-itb", BLUE, "start")
    f.text(20, 256, "one head of target j; every head starts at j’s own value in it", anchor="start")
    f.write("att-itb")


def legendre(count):
    """Nodes of Gauss–Legendre on [0, 1]."""
    nodes = []
    for k in range(count):
        x = math.cos(math.pi * (k + 0.75) / (count + 0.5))
        for _ in range(50):
            p, q = 1.0, x
            for n in range(2, count + 1):
                p, q = q, ((2 * n - 1) * x * q - (n - 1) * p) / n
            step = q / (count * (x * q - p) / (x * x - 1))
            x -= step
        nodes.append((1 - x) / 2)
    return sorted(nodes)


def start():
    """What a norm makes of a·z, at nodes spread evenly in a and in t."""
    f = Figure(680, 250, "A path from zero: evenly in a, and started slowly")
    ratio = 1000.0
    slowness = 4 * ratio
    c = math.log(slowness)

    def normed(a):
        return a * math.sqrt((ratio**2 + 1) / (a * a * ratio**2 + 1))

    def slow(t):
        return math.expm1(c * t) / math.expm1(c)

    panels = [(50, "evenly: nodes in a", lambda t: t, GREY), (390, "slow start: nodes in t", slow, BLUE)]
    for left, head, way, colour in panels:
        f.line(left, 200, left + 250, 200)
        f.line(left, 200, left, 40)
        f.text(left + 125, 24, head, colour, weight="bold")
        f.path([(left + 250 * k / 800, 200 - 145 * normed(way(k / 800))) for k in range(801)], GREY, 1.4)
        for t in legendre(16):
            f.dot(left + 250 * t, 200 - 145 * normed(way(t)), colour, 3.6)
        f.text(left - 8, 60, "1", anchor="end")
        f.text(left - 8, 204, "0", anchor="end")
        f.text(left + 4, 220, "0", size=12)
        f.text(left + 248, 220, "1", size=12)
    f.text(175, 220, "a")
    f.text(515, 220, "t,   a = (4000ᵗ − 1) / (4000 − 1)")
    f.text(20, 244, "how much of N(z) a norm makes of a·z, where z is 1000 times √ε; the same 16 Gauss–Legendre nodes",
           anchor="start", size=12)
    f.write("slow-start")


MAP_PANELS = [
    ("attention α of cat", [0.674, 0, 0.317, 0, 0, 0, 0.001, 0.002, 0.005], GREY, "f = α to itself = 0.317"),
    ("ITB column c", [1.576, 0.067, 0, 0.052, 0.041, 0.053, 0.081, 0.076, 0.096], BLUE, "Σ c = 2.041"),
    ("the share put in", [1.076, 0.046, 0.648, 0.036, 0.028, 0.036, 0.055, 0.052, 0.065], BLUE,
     "f Σ c, and (1 − f) c"),
]

if __name__ == "__main__":
    block()
    zero()
    itb()
    zeroRatio()
    mapRatio()
    attITB()
    start()
