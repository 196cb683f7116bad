#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Reads all files in debugfs, in several ways, while they come and go.

reading.py DEBUGFS SEED STOP

Until the file STOP is there, and with pauses while STOP.nap is, in which modules can go: all of a
file at once; a byte at a time; from the start again after some of it; pieces from anywhere; beyond
its end. What is read from the start on is well-formed, and nothing fails but with ENOENT, EIO or
ENXIO, as what is read about has gone. Prints what was read.
"""

import errno
import json
import os
import random
import re
import sys
import time

# Isolated from all else, python does not look beside the script.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
from files import CHILD, GOING, LOCK, Wrong, ensure  # noqa: E402

SUMMARY = (r"childkernel on \S+: \d+ children, \d+ locks \(times in ns\)\n\n"
           r"ID .*VIOL\n(\d+ .*\n)*\nLOCK .*\n(\S+ .*\n)*")
END = 1 << 20


def is_json(text):
    stats = json.loads(text)
    return stats["schema"] == 1 and text.count("\n") == 1


def forms(debugfs):
    """All files that there are to be read, each with what it is to be like."""
    yield f"{debugfs}/summary", SUMMARY
    yield f"{debugfs}/stats.json", None
    for kind, fields in (("children", CHILD), ("locks", LOCK)):
        for one in os.listdir(f"{debugfs}/{kind}"):
            for name, form in fields.items():
                yield f"{debugfs}/{kind}/{one}/{name}", form


def check(path, form, text):
    text = text.decode("utf-8")
    so = is_json(text) if form is None else re.fullmatch(form, text)
    ensure(so, f"{path}: {text!r}")


def read_to_end(fd, most, start=b""):
    """What is left, in pieces of that size."""
    pieces = [start]
    while True:
        piece = os.read(fd, most)
        ensure(len(piece) <= most, f"{len(piece)} bytes for {most}")
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


# The ways to read. Each says whether it has a whole text.

def at_once(_, fd):
    return read_to_end(fd, END)


def byte_by_byte(_, fd):
    return read_to_end(fd, 1)


def in_pieces(r, fd):
    return read_to_end(fd, r.choice((2, 3, 7, 64, 4095, 4096, 4097)))


def again(r, fd):
    """Some of it, then all of it from the start."""
    os.read(fd, r.randint(1, 100))
    ensure(os.lseek(fd, 0, os.SEEK_SET) == 0, "lseek does not go back")
    return at_once(r, fd)


def anywhere(r, fd):
    """Pieces, which may be of different texts: no more than that is promised."""
    for _ in range(8):
        most, at = r.randint(1, 300), r.choice((0, r.randrange(200), r.randrange(8192)))
        piece = os.pread(fd, most, at)
        ensure(len(piece) <= most, f"{len(piece)} bytes for {most} at {at}")
        ensure(re.fullmatch(rb"[\n -~]*", piece), f"{piece!r} at {at}")
    return None


def beyond(r, fd):
    """There is nothing, and it is no error; before the start there is nothing at all."""
    for at in (END, 1 << 31, (1 << 40) + r.getrandbits(30)):
        ensure(os.pread(fd, 100, at) == b"", f"there is something at {at}")
        ensure(os.lseek(fd, at, os.SEEK_SET) == at, f"lseek does not go to {at}")
        ensure(os.read(fd, 100) == b"", f"there is something after lseek to {at}")
    for at, whence in ((-1, os.SEEK_SET), (-(1 << 60), os.SEEK_CUR), (0, os.SEEK_END)):
        try:
            os.lseek(fd, at, whence)
        except OSError as error:
            ensure(error.errno in (errno.EINVAL, *GOING), f"lseek: {error}")
        else:
            raise Wrong(f"lseek goes to {at} from {whence}")
    return None


WAYS = (at_once, at_once, byte_by_byte, in_pieces, again, anywhere, beyond)


def read_one(r, path, form, counts):
    way = r.choice(WAYS)
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        ensure(error.errno in GOING, f"open {path}: {error}")
        counts["gone"] += 1
        return
    try:
        text = way(r, fd)
        if text is not None:
            check(path, form, text)
        counts[way.__name__] += 1
    except OSError as error:
        # A file that was opened is there; what it is about may not be.
        ensure(error.errno == errno.EIO, f"{way.__name__} {path}: {error}")
        counts["gone"] += 1
    except (Wrong, ValueError) as wrong:
        raise Wrong(f"{way.__name__} {path}: {wrong}") from wrong
    finally:
        os.close(fd)


def read_all(debugfs, r, stop):
    counts = {way.__name__: 0 for way in WAYS} | {"gone": 0, "none": 0}
    while not os.path.exists(stop):
        try:
            paths = list(forms(debugfs))
        except OSError as error:
            # The library comes and goes.
            ensure(error.errno in GOING, str(error))
            counts["none"] += 1
            time.sleep(0.01)
            continue
        r.shuffle(paths)
        for path, form in paths[:100]:
            read_one(r, path, form, counts)
            if os.path.exists(f"{stop}.nap"):
                time.sleep(0.02)
    return counts


def main(argv):
    debugfs, seed, stop = argv[1:]
    try:
        counts = read_all(debugfs, random.Random(seed), stop)
    except (Wrong, OSError) as wrong:
        sys.exit(f"{type(wrong).__name__}: {wrong}")
    print(" ".join(f"{way}={n}" for way, n in counts.items()))


if __name__ == "__main__":
    main(sys.argv)
