#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judge what rustc has refused: see compile-fail.sh.

refused.py SRC OUT reads OUT/wrong.json, where rustc says one thing a line, as
JSON, and writes OUT/wrong.log, as people read it. Several compilers write at the
same time, so what a line says must hold without its neighbours. Prints KTAP.
"""

import collections
import json
import os
import re
import sys

WANTED = re.compile(r"//~((?: E\d+)+)$")
EVALUATED = re.compile(r"evaluation of `(.*)::\{constant#\d+\}` failed")
INSTANTIATED = re.compile(r"while instantiating `fn (.*)`$")


def wanted(text):
    """(line, code) for each error that must be."""
    found = collections.Counter()
    for number, line in enumerate(text.splitlines(), 1):
        match = WANTED.search(line)
        found.update((number, code) for code in (match.group(1).split() if match else ()))
    return found


def places(said, names):
    """(file, line) of what one of these files did, main places first."""
    spans = sorted(said["spans"], key=lambda span: not span["is_primary"])
    for span in spans:
        while span:
            name = os.path.basename(span["file_name"])
            if span["is_primary"] and name in names:
                yield name, span["line_start"]
            span = (span.get("expansion") or {}).get("span")
    for child in said["children"]:
        yield from places(child, names)


def read(lines):
    """What rustc says, and the text for people of all lines."""
    said, text = [], []
    for line in lines:
        try:
            one = json.loads(line)
        except ValueError:
            one = None
        if isinstance(one, dict) and "spans" in one:
            said.append(one)
            text.append((one["rendered"] or one["message"]).removesuffix("\n"))
        else:
            text.append(line.rstrip("\n"))
    return said, "\n".join(text) + "\n"


def refused(said, names):
    """({file: errors in it}, [errors that are in none]).

    What an assertion of the library refuses is reported there, as E0080; who asked
    for it is told apart, by the name of the function.
    """
    found = {name: collections.Counter() for name in names}
    asked = collections.defaultdict(list)
    inside, strays = [], []
    for one in said:
        place = next(places(one, names), None)
        instantiated = INSTANTIATED.search(one["message"])
        if one["level"] == "note" and instantiated and place:
            asked[instantiated.group(1)].append(place)
        elif one["level"] == "error" and not one["message"].startswith("aborting due to"):
            code = (one["code"] or {}).get("code", "-")
            if place:
                found[place[0]][place[1], code] += 1
            elif code == "E0080":
                inside.append(one["message"])
            else:
                strays.append(one["message"])
    for message in inside:
        match = EVALUATED.search(message)
        who = asked.get(match.group(1)) if match else None
        if who:
            name, line = who.pop()
            found[name][line, "E0080"] += 1
        else:
            strays.append(message)
    return found, strays


def differences(want, got):
    if not want:
        yield "it names no error"
    for line, code in sorted((want - got).elements()):
        yield f"is not refused: line {line} {code}"
    for line, code in sorted((got - want).elements()):
        yield f"is refused: line {line} {code}"


def main(argv):
    src, out = argv[1:]
    names = sorted(name for name in os.listdir(src) if name.endswith(".rs"))
    with open(f"{out}/wrong.json", encoding="utf-8", errors="replace") as file:
        said, text = read(file)
    with open(f"{out}/wrong.log", "w", encoding="utf-8") as file:
        file.write(text)
    found, failed = refused(said, names)
    print(f"TAP version 13\n1..1\n    TAP version 13\n    1..{len(names)}")
    for message in failed:
        print(f"    # nobody has asked for it: {message}; see {out}/wrong.log")
    for number, name in enumerate(names, 1):
        with open(f"{src}/{name}", encoding="utf-8") as file:
            why = list(differences(wanted(file.read()), found[name]))
        name = name[:-len(".rs")]
        if not os.path.exists(f"{out}/right/{name}.o"):
            why.append(f"the right one does not compile: {out}/right.log")
        for reason in why:
            print(f"    # {reason}")
        print(f"    {'not ok' if why else 'ok'} {number} {name}")
        failed += why
    print(f"{'not ok' if failed else 'ok'} 1 compile_fail")


if __name__ == "__main__":
    main(sys.argv)
