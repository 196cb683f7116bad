#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Looks for addresses of the kernel in texts.

addresses.py FILE|DIRECTORY...

A directory is what is in it, and can be read. Prints the lines, and fails if there are any: with
an address, or with what stands for one where the kernel hides it. What has sixteen digits and no
letter among them is taken for a number.
"""

import os
import re
import sys

HEX = r"(?:0x)?(?=[0-9a-f]*[a-f]|0{4})[0-9a-f]{16}"
ADDRESS = re.compile(rf"(?<![0-9a-z_]){HEX}(?![0-9a-z])|(?<![0-9a-z_])0x[0-9a-f]{{9,16}}(?![0-9a-z])|"
                     r"\(____ptrval____\)|\(efault\)", re.I)


def paths(names):
    for name in names:
        if os.path.isdir(name):
            for root, _, files in os.walk(name):
                yield from (f"{root}/{file}" for file in files)
        else:
            yield name


def main(argv):
    texts = found = 0
    for path in paths(argv[1:]):
        if not os.stat(path).st_mode & 0o444:
            continue
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            try:
                lines = file.read().splitlines()
            except OSError as error:
                sys.exit(f"{path}: {error}")
        texts += 1
        for line in filter(ADDRESS.search, lines):
            found += 1
            print(f"{path}: {line}")
    if found or not texts:
        sys.exit(f"{found} lines in {texts} files")
    print(f"no address in {texts} files")


if __name__ == "__main__":
    main(sys.argv)
