# SPDX-License-Identifier: GPL-2.0
"""Lines for the file control that somebody might write, and some that nobody would: for
control.py."""

import errno
import random

from control_model import PAIRS, Unknown, code, ensure, expect


def some_pairs(r, pairs, most):
    return r.sample(pairs, r.randint(0, min(most, len(pairs))))


def valid_spawn(r, control):
    common = [f"cpus={r.choice(sorted(control.cpus))}", f"memory={r.choice(['0', '4096', '64k', '1m'])}",
              f"nice={r.randint(-5, 19)}", "heartbeat=0", "heartbeat=86400000", "cpus=0"]
    name = r.choice(("a", "b-1", "x.y:z/0", "A" * 31))
    if r.random() < 0.3:
        load = r.choice(sorted(control.loads))
        what = [f"workload={load}", "nice=19"]
        if r.random() < 0.5:
            what.append(f"primitive={r.choice(control.loads[load])}")
        common = [pair for pair in common if not pair.startswith("nice=")]
        threads = [2] if load in PAIRS else [1, 2, 3]
    else:
        what = [f"entry={r.choice(('idle', 'idle', 'echo', 'echo', 'fails', 'ends'))}"]
        common += ["scheduling=fifo:1", "scheduling=batch", "depth=16"]
        threads = [1, 2, 4]
    if r.random() < 0.4:
        common.append(f"threads={r.choice(threads)}")
    common += r.choice(([], ["scheduling=idle"], ["scheduling=normal"]))
    # What does not end by itself is not started again either.
    common += r.choice(([], ["restart=never"], ["restart=on-crash"],
                        ["restart=always limit=3 window=1000"],
                        ["restart=on-error backoff=5 backoff-max=50"]))
    pairs = {pair.split("=")[0]: pair for pair in some_pairs(r, common, 5)}
    words = what + list(pairs.values())
    r.shuffle(words)
    return " ".join(["spawn", name, *words])


def some_id(r, control):
    ids = list(control.kids)
    kind = r.random()
    if ids and kind < 0.75:
        return str(r.choice(ids))
    others = sorted(control.foreign) + ["0", "00", str(control.last + 1), str(control.last + 1000),
                                        str((1 << 64) - 1), str(1 << 64), "-1", "x", ""]
    return str(r.choice(others))


def some_line(r, control):
    """A line that is valid, but for the ID perhaps."""
    # A few children at a time are enough.
    kind = r.random() if len(control.kids) < 5 else r.uniform(0.3, 1)
    if kind < 0.4 and len(control.kids) < 8:
        return valid_spawn(r, control)
    if kind < 0.55:
        return f"stop {some_id(r, control)}"
    if kind < 0.7:
        return f"restart {some_id(r, control)}"
    if kind < 0.85:
        return f"remove {some_id(r, control)}"
    if kind < 0.95:
        text = r.choice(("hello", "x=1 y", "a  b", '"quoted" \\n %s', "x" * 480))
        return f"send {some_id(r, control)} {text}"
    if kind < 0.96:
        return f"crash {some_id(r, control)} none"
    if kind < 0.98:
        return f"stats {r.choice(('off', 'contended', 'times'))}"
    return "reset-stats"


def broken(r, line):
    """The same with something done to it."""
    def words():
        parts = line.split(b" ")
        at = r.randrange(len(parts))
        what = r.randrange(4)
        if what == 0:
            del parts[at]
        elif what == 1:
            parts.insert(at, parts[r.randrange(len(parts))])
        elif what == 2:
            parts[at] = parts[at][::-1]
        else:
            parts.insert(at, r.choice((b"", b"=", b"x=1", b"threads=", b"workload=table=",
                                       b"restart=sometimes", b"limit=5", b"depth=7", b"all")))
        return b" ".join(parts)

    def byte():
        at = r.randrange(len(line) + 1)
        some = bytes([r.choice((0, 9, 10, 13, 27, 127, 128, 255, *b" =0-x", r.randrange(256)))])
        return line[:at] + some + line[at + r.randint(0, 1):]

    return r.choice((words, words, byte, lambda: line + b"\n" + line, lambda: (line * 40)[:4000]))()


def do_random(control, seed, count):
    r = random.Random(seed)
    control.learn()
    results = {}
    tried = 0
    while tried < count:
        line = some_line(r, control).encode()
        if r.random() < 0.4:
            line = broken(r, line)
        if r.random() < 0.5:
            line += b"\n"
        try:
            number, then = expect(control, line)
        except Unknown:
            continue
        if not line:
            continue
        tried += 1
        said = control.must(line, number)
        then(said)
        control.compare(line)
        results[number] = results.get(number, 0) + 1
    control.clear()
    for number in (0, errno.EINVAL, errno.ESRCH):
        ensure(results.get(number, 0) > count / 100, f"only {results}")
    return " ".join(f"{code(n)}={results[n]}" for n in sorted(results))
