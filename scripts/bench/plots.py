# SPDX-License-Identifier: GPL-2.0
"""Plots: gnuplot scripts, and the SVG that gnuplot makes of them, to be put into a page.

What is foreground in a plot takes the colour of the page's text, so that one
drawing is good on light and on dark. Legends are left to the page: there they
cover nothing.
"""

import math
import re
import subprocess

from bench import units

# Gnuplot's point types, and the sign that looks the same in a page's legend.
MARKS = {7: "●", 5: "■", 9: "▲", 11: "▼", 13: "◆", 6: "○", 4: "□", 8: "△", 10: "▽", 12: "◇"}
# Mid-tones, readable on light and on dark; a family shares its colour.
STYLES = {
    "spinlock": ("#3b82f6", 7), "spinlock_bh": ("#3b82f6", 6), "spinlock_irq": ("#3b82f6", 5),
    "raw_spinlock": ("#6b93c4", 9), "raw_spinlock_irq": ("#6b93c4", 8),
    "resilient": ("#0f9f9a", 11), "resilient_irq": ("#0f9f9a", 10),
    "rwlock": ("#2ba24c", 13), "rwlock_bh": ("#2ba24c", 12), "rwlock_irq": ("#2ba24c", 4),
    "mutex": ("#e2731f", 7), "semaphore": ("#b98d06", 5), "bitlock": ("#b98d06", 4),
    "rwsem": ("#df4f8d", 9), "percpu_rwsem": ("#b45fd0", 11),
    "seqlock": ("#dc4545", 13), "seqlock_bh": ("#dc4545", 12), "seqlock_irq": ("#dc4545", 4),
    "seqcount": ("#dc4545", 10), "seqcount_mutex": ("#dc4545", 8),
    "rcu": ("#8267ee", 5), "rculist": ("#8267ee", 4), "rculist_mutex": ("#8267ee", 8),
    "srcu": ("#9b86b3", 9), "atomic": ("#858b95", 7), "percpu": ("#858b95", 5),
    "ring": ("#3b82f6", 7), "queue": ("#0f9f9a", 5), "ptr_ring": ("#e2731f", 9),
    "kfifo": ("#b98d06", 11), "llist": ("#dc4545", 13),
    "ping_pong": ("#858b95", 7), "mailbox_spin": ("#3b82f6", 7), "mailbox_sleep": ("#0f9f9a", 5),
    "completion": ("#e2731f", 9), "table": ("#8267ee", 7),
    "spawn": ("#3b82f6", 7), "stop": ("#0f9f9a", 5), "restart": ("#b45fd0", 9),
    "kthread_run": ("#e2731f", 11),
    "kthread_stop": ("#b98d06", 13), "rust": ("#e2731f", 7), "c": ("#3b82f6", 5),
}
OTHERS = ["#7a8b3a", "#4b9fbf", "#a8735a", "#6f78c9", "#c05f5f", "#5a9a7a"]
# Stands for the page's foreground until the drawing is in it.
FOREGROUND = "#010203"
FAINT = "#010204"


def style(name):
    """(colour, point type): the same for a name in every plot."""
    base = name.split(" ")[0]
    if base in STYLES:
        return STYLES[base]
    n = sum(ord(c) * i for i, c in enumerate(base, 1))
    return OTHERS[n % len(OTHERS)], list(MARKS)[n % len(MARKS)]


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def category(ns):
    """A time inside, as the name of a place on an axis."""
    for size, unit in ((1e6, "ms"), (1e3, "µs")):
        if ns >= size:
            return f"{ns / size:g} {unit}"
    return f"{ns:g} ns" if ns else "0"


HEAD = """\
set terminal svg size {width},{height} dynamic noenhanced font 'sans-serif,13' name '{name}'
set encoding utf8
set border 3 linecolor rgb '{fg}' linewidth 0.8
set tics nomirror textcolor rgb '{fg}' scale 0.5
set grid ytics linecolor rgb '{faint}' linewidth 0.5 dashtype 3
set title textcolor rgb '{fg}' font ',13'
set xlabel textcolor rgb '{fg}'
set ylabel textcolor rgb '{fg}'
set key off
"""


def head(name, width, height):
    return HEAD.format(name=name, width=width, height=height, fg=FOREGROUND, faint=FAINT)


def block(name, rows):
    """Data inside the script."""
    return f"${name} << EOD\n" + "".join(
        " ".join(f"{v:.9g}" if isinstance(v, (int, float)) else str(v) for v in row) + "\n"
        for row in rows) + "EOD\n"


def bounds(values):
    """Where a logarithmic axis begins and ends, so that no point lies on its edge."""
    low, high = math.log10(min(values)), math.log10(max(values))
    more = max((high - low) * 0.08, 0.05)
    return 10 ** (low - more), 10 ** (high + more)


def ticks(low, high, log):
    """Round values for an axis from low to high, few enough to be read."""
    if not log:
        step = 10 ** math.floor(math.log10((high - low) / 4))
        step = next(step * n for n in (1, 2, 5, 10) if (high - low) / (step * n) <= 6)
        return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3,
                                                                  3.5, 4, 5, 6, 7, 8, 9)):
        found = [n * 10.0 ** d for d in decades for n in steps if low <= n * 10.0 ** d <= high]
        if len(found) >= 4:
            return found
    # Less than a third of a decade: as good as linear.
    return found if len(found) >= 3 else ticks(low, high, False)


def tics(axis, values, words):
    return f"set {axis}tics (" + ", ".join(f"{quoted(words(v))} {v:.9g}" for v in values) + ")\n"


def lines(name, panels, xlabel, ylabel, xs, columns=None):
    """Lines over places on an axis: panels are (title, {series: {x: y}}).

    xs is the places from left to right, as (x, label): evenly spaced, since
    what is varied is doubled or made ten times as much from each to the next.
    """
    columns = columns or min(len(panels), 2)
    rows = -(-len(panels) // columns)
    width, height = (900, 310 * rows) if columns > 1 else (900, 340)
    out = [head(name, width, height)]
    if len(panels) > 1:
        out.append(f"set multiplot layout {rows},{columns}\n")
    place = {x: i for i, (x, _) in enumerate(xs)}
    out.append(f"set xlabel {quoted(xlabel)}\nset ylabel {quoted(ylabel)} offset 0.5\n")
    out.append("set xtics (" + ", ".join(f"{quoted(text)} {i}" for i, (_, text) in enumerate(xs))
               + ")\n")
    out.append(f"set xrange [-0.25:{len(xs) - 0.75}]\nset logscale y\n")
    count = 0
    for title, series in panels:
        values = [y for points in series.values() for y in points.values()]
        low, high = bounds(values)
        out.append(f"set title {quoted(title)}\nset yrange [{low:.6g}:{high:.6g}]\n")
        out.append(tics("y", ticks(low, high, True), units.rate))
        drawn = []
        for one, points in series.items():
            colour, mark = style(one)
            data = f"d{count}"
            count += 1
            out.append(block(data, sorted((place[x], y) for x, y in points.items())))
            dash = " dashtype 2" if one.endswith(" C") else ""
            drawn.append(f"${data} using 1:2 with linespoints linecolor rgb '{colour}' "
                         f"linewidth 1.6 pointtype {mark} pointsize 0.7{dash}")
        out.append("plot " + ", \\\n     ".join(drawn) + "\n")
    if len(panels) > 1:
        out.append("unset multiplot\n")
    return "".join(out)


def rows_head(name, labels, xlabel, low, high, log, words):
    """What plots with a row for each label have in common."""
    longest = max(len(text) for text in labels)
    out = head(name, 900, 90 + 24 * len(labels))
    out += "unset grid\nset grid xtics " \
           f"linecolor rgb '{FAINT}' linewidth 0.5 dashtype 3\n"
    out += f"set lmargin {longest + 3}\nset rmargin 9\nset xlabel {quoted(xlabel)}\n"
    out += f"set yrange [{len(labels) - 0.4}:-0.6]\nset xrange [{low:.6g}:{high:.6g}]\n"
    out += "set ytics (" + ", ".join(f"{quoted(t)} {i}" for i, t in enumerate(labels)) + ")\n"
    out += tics("x", ticks(low, high, log), words)
    return out + ("set logscale x\n" if log else "")


def ranges(name, rows, xlabel, marks):
    """Times, a row each on a logarithmic axis: rows are (label, times, style name)."""
    # Below a nanosecond no clock tells anything.
    rows = [(label, [max(v, 1) for v in found], styled) for label, found, styled in rows]
    low, high = bounds([v for _, found, _ in rows for v in found])
    out = rows_head(name, [r[0] for r in rows], xlabel, low, high, True, units.time)
    drawn = []
    for i, (_, found, styled) in enumerate(rows):
        colour, _ = style(styled)
        out += block(f"l{i}", [(found[0], i), (found[-1], i)])
        drawn.append(f"$l{i} using 1:2 with lines linecolor rgb '{colour}' linewidth 1.5")
        for n, value in enumerate(found):
            out += block(f"p{i}_{n}", [(value, i)])
            drawn.append(f"$p{i}_{n} using 1:2 with points linecolor rgb '{colour}' "
                         f"pointtype {marks[n]} pointsize 0.8")
    return out + "plot " + ", \\\n     ".join(drawn) + "\n"


def comparison(name, rows, xlabel, lines_at):
    """Ratios with their spread: rows are (label, value, low, high, style name)."""
    values = [v for row in rows for v in row[1:4]] + list(lines_at)
    low, high = min(values), max(values)
    more = max((high - low) * 0.06, 0.01)
    out = rows_head(name, [r[0] for r in rows], xlabel, low - more, high + more, False,
                    lambda v: f"{v:.2f}")
    for at in lines_at:
        out += (f"set arrow from {at}, graph 0 to {at}, graph 1 nohead "
                f"linecolor rgb '{FOREGROUND}' linewidth 0.8 dashtype 2\n")
    drawn = []
    for i, (_, value, least, most, styled) in enumerate(rows):
        colour, _ = style(styled)
        out += block(f"r{i}", [(value, i, least, most, f'"{value:.3f}"')])
        drawn.append(f"$r{i} using 1:2:3:4 with xerrorbars linecolor rgb '{colour}' "
                     "linewidth 1.6 pointtype 7 pointsize 0.6")
        drawn.append(f"$r{i} using (graph_right):2:5 with labels left offset 1,0 "
                     f"textcolor rgb '{FOREGROUND}'")
    out = out.replace("set key off\n", f"set key off\ngraph_right = {high + more:.6g}\n")
    return out + "plot " + ", \\\n     ".join(drawn) + "\n"


def bars(name, rows, xlabel):
    """Times as bars on a logarithmic axis: rows are (label, time, style name)."""
    values = [v for _, v, _ in rows]
    low, high = 10 ** (math.floor(math.log10(min(values))) - 0.2), max(values) * 1.6
    out = rows_head(name, [r[0] for r in rows], xlabel, low, high, True, units.time)
    out += "set style fill solid 0.75 noborder\n"
    drawn = []
    for i, (_, value, styled) in enumerate(rows):
        colour, _ = style(styled)
        out += block(f"b{i}", [(value, i, low, value, i - 0.32, i + 0.32,
                                f'"{units.time(value)}"')])
        drawn.append(f"$b{i} using 1:2:3:4:5:6 with boxxyerror linecolor rgb '{colour}'")
        drawn.append(f"$b{i} using 1:2:7 with labels left offset 0.6,0 "
                     f"textcolor rgb '{FOREGROUND}'")
    return out + "plot " + ", \\\n     ".join(drawn) + "\n"


def inlined(svg, name):
    """A drawing as it stands in a page: no header, names of its own, the page's colours."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<title>.*?</title>\s*|<desc>.*?</desc>\s*", "", svg, flags=re.S)
    svg = re.sub(r"\bid=(['\"])([^'\"]*)\1", rf'id="{name}-\2"', svg)
    svg = re.sub(r"(xlink:href=['\"]#|url\(#)([^'\")]+)", rf"\1{name}-\2", svg)
    for colour, became in ((FOREGROUND, "currentColor"), (FAINT, "var(--faint)")):
        numbers = ", ".join(f"{int(colour[i:i + 2], 16):3d}" for i in (1, 3, 5))
        svg = svg.replace(f"rgb({numbers})", became).replace(colour, became)
        svg = re.sub(r"rgb\(\s*" + r"\s*,\s*".join(str(int(colour[i:i + 2], 16))
                                                   for i in (1, 3, 5)) + r"\s*\)", became, svg)
    # Gnuplot opens a group for each change of a pen, used or not.
    svg = re.sub(r"<g [^>]*>\s*</g>\s*", "", svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    return svg.replace("black", "currentColor").strip()


def draw(script, name):
    """The SVG of a script."""
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True,
                          encoding="utf-8", timeout=60, check=False)
    if done.returncode != 0 or "</svg>" not in done.stdout:
        raise RuntimeError(f"gnuplot cannot draw {name}: {done.stderr.strip()}")
    return inlined(done.stdout, name)
