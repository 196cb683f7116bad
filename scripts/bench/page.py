# SPDX-License-Identifier: GPL-2.0
"""Pieces of the report's page: tables, figures with how they were made, legends."""

import html

from bench import plots, records

# What a lane is, in the words of a caption.
LANES = {
    "exact": "stock kernel in an emulator that counts instructions (-icount)",
    "native": "UML with the tree built in, at this host's speed",
    "real": "a KVM guest, or one's own kernel",
}
WARNING = "not for hardware decisions"


def escape(text):
    return html.escape(str(text))


def badge(lane):
    """What must stand at each figure that hardware did not make."""
    return "" if lane.hardware else f' <strong class="badge">{WARNING}</strong>'


def made(lane, run=None, rounds=None, note=""):
    """How a figure was made."""
    begin = run.begin if run is not None else {}
    accel = lane.about.get("accel") if lane.kind == "real" else None
    parts = [f"lane {lane.kind}: {LANES[lane.kind]}" + (f" ({accel})" if accel else "")]
    if begin.get("release"):
        parts.append(f"kernel {begin['release']}")
    if begin.get("cpus"):
        parts.append(f"{begin['cpus']} CPU" + ("s" if begin["cpus"] > 1 else ""))
    if run is not None:
        parts.append("INLINE=1" if run.inline else "plain Kbuild build")
    if rounds:
        parts.append(f"{rounds} rounds, order alternating")
    parts += [p for p in (note, lane.about.get("date", "")) if p]
    return (f'<p class="made">{escape("; ".join(parts))}; '
            f"<code>{escape(lane.command)}</code>{badge(lane)}</p>")


def missing(what, *kinds):
    """A section without its figures says who makes them."""
    commands = " or ".join(f"<code>{records.COMMANDS[kind]}</code>" for kind in kinds)
    return f'<p class="missing">Not measured yet: {escape(what)}. {commands} measures it.</p>'


class Raw(str):
    """A cell that is HTML already."""


def cell(value):
    return value if isinstance(value, Raw) else escape(value)


def table(headers, rows, words=1, classes=""):
    """The first columns are words, the others figures."""
    out = [f'<div class="wide"><table class="{classes}"><thead><tr>']
    kind = lambda i: "" if i < words else ' class="n"'
    out += [f"<th{kind(i)}>{cell(h)}</th>" for i, h in enumerate(headers)]
    out.append("</tr></thead><tbody>\n")
    for row in rows:
        out += ["<tr>", *(f"<td{kind(i)}>{cell(c)}</td>" for i, c in enumerate(row)), "</tr>\n"]
    out.append("</tbody></table></div>\n")
    return "".join(out)


def folded(title, content):
    return f"<details><summary>{escape(title)}</summary>{content}</details>\n"


def legend(names):
    """Signs and colours of a plot."""
    items = []
    for name in names:
        colour, mark = plots.style(name)
        dashed = ", dashed" if name.endswith(" C") else ""
        items.append(f'<li><span style="color:{colour}" aria-hidden="true">'
                     f"{plots.MARKS[mark]}</span> {escape(name)}{dashed}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>\n'


def figure(svg, caption, how, names=()):
    """A plot, its legend, what it shows, and how it was made."""
    return (f"<figure>{legend(names) if names else ''}{svg}\n"
            f"<figcaption>{escape(caption)}{how}</figcaption></figure>\n")


class Figures:
    """Draws plots and gives each a name of its own; without gnuplot, in tests, none."""

    def __init__(self, draw=plots.draw):
        self.count = 0
        self._draw = draw

    def __call__(self, make, *arguments, **options):
        self.count += 1
        name = f"plot{self.count}"
        return self._draw(make(name, *arguments, **options), name)
