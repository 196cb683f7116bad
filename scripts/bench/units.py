# SPDX-License-Identifier: GPL-2.0
"""Figures for people: three digits, and the unit that fits."""


def digits(value):
    """Three significant digits, and no exponent."""
    if value == 0:
        return "0"
    size = abs(value)
    places = 2 if size < 9.995 else 1 if size < 99.95 else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def time(ns):
    """Nanoseconds as a time."""
    if ns is None:
        return "-"
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(ns) >= size * 0.9995:
            return f"{digits(ns / size)} {unit}"
    return f"{digits(ns)} ns"


def rate(per_second):
    """Operations a second."""
    if per_second is None:
        return "-"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(per_second) >= size * 0.9995:
            return f"{digits(per_second / size)} {unit}"
    return digits(per_second)


def share(ratio):
    """A ratio, as the goals are written."""
    return "-" if ratio is None else f"{ratio:.2f}" if ratio < 99.5 else f"{ratio:.0f}"
