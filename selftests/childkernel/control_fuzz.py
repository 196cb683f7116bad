#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Many writers to the file control at once: some know the grammar, some do not.

control_fuzz.py DEBUGFS SEED COUNT [WRITERS]

COUNT writes in all. Each is applied or refused, with the errno that the model of
control_model.py says, and each refusal is one line in the log. Each writer has children of its
own, which are at any time what its model says. The log is followed from the first line to the
last: writers wait for its reader, so that nothing of it is overwritten unread.

The console should be quiet meanwhile. CK_SPLAT may have a pattern of what must not be in the log.
"""

import errno
import json
import os
import random
import re
import select
import sys
import time
import traceback

# Isolated from all else, python does not look beside the script.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
from control_model import (ASIDE, COMMANDS, ENTRIES, FAULTS, KEYS, Control, Unknown,  # noqa: E402
                           Wrong, code, ensure, eventually, expect, read)
from control_random import broken, some_id, some_line  # noqa: E402

# A writer waits for the reader of the log after so many lines: what all of them say until then,
# a kernel's log has room for.
STEP = 50
# It compares all that is there with its model after so many.
LOOK = 250
# No more children of one writer at a time, nor more text that is kept for it.
KIDS, TEXT = 6, 64 << 10
LINE = 512
PAGE = 4096
# IDs from here on nobody has.
NOBODY = 1 << 32

# What those begin with who do not know the grammar: lines that somebody has seen.
SEEN = [line.encode() for line in (
    "spawn w1 workload=counter primitive=mutex threads=4 memory=64k restart=on-crash",
    "spawn x entry=idle threads=3 cpus=0-1 nice=-5 scheduling=fifo:99",
    "spawn A entry=echo depth=16 restart=always limit=3 window=1000 backoff=5 backoff-max=50",
    "stop 18446744073709551615", "restart 4294967296", "remove 99999999999",
    "send 4294967297 hello, world", "crash 4294967298 none", "reset-stats", "stats times")]
WORDS = [*COMMANDS, *FAULTS, *ENTRIES, *(f"{key}=" for key in KEYS), "=", "", "a", "\t", "\n",
         "off", "times", "counter", "mutex", "1", "0", "-1", "64k", "4294967296",
         "18446744073709551616", "9" * 60]


def nonsense(r):
    """A line by somebody who does not know the grammar."""
    def some_bytes():
        return r.randbytes(r.choice((1, 2, 7, 40, r.randrange(LINE), LINE, LINE + 1)))

    def long():
        byte = bytes([r.choice(b"ax 1=\0\xff")])
        return byte * r.choice((LINE - 1, LINE, LINE + 1, LINE + 2, PAGE - 1, PAGE, PAGE + 1,
                                r.randrange(3 * PAGE)))

    def text():
        ranges = r.choice(((0x20, 0x7f), (0xa0, 0x250), (0x590, 0x700), (0x4e00, 0x4f00),
                           (0x1f300, 0x1f600)))
        return "".join(chr(r.randrange(*ranges)) for _ in range(r.randint(1, 60))).encode()

    def numbers():
        number = r.choice((r.getrandbits(32), r.getrandbits(64), r.getrandbits(300), 1 << 31,
                           (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64))
        sign = r.choice(("", "", "-", "+", "0x", "0" * r.randrange(300)))
        word = r.choice(("stop ", "crash ", "send ", "spawn b entry=idle threads=",
                         "spawn b workload=record memory=", "spawn b entry=echo depth=",
                         "spawn b workload=counter nice=", "spawn b entry=idle cpus="))
        return f"{word}{sign}{number}".encode()

    def words():
        return "".join(word + r.choice((" ", " ", "", "  ", "="))
                       for word in r.choices(WORDS, k=r.randint(1, 12))).encode()

    def mutated():
        line = bytearray(r.choice(SEEN))
        for _ in range(r.choice((1, 1, 1, 2, 3, 8))):
            at = r.randrange(len(line) + 1)
            what = r.randrange(5)
            if what == 0:
                line[at:at + 1] = bytes([r.randrange(256)])
            elif what == 1:
                del line[at:at + r.randint(1, 8)]
            elif what == 2:
                line[at:at] = line[at:at + r.randint(1, 8)] * r.randint(1, 30)
            elif what == 3 and at < len(line):
                line[at] ^= 1 << r.randrange(8)
            else:
                line[at:] = r.choice(SEEN)[r.randrange(20):]
        return bytes(line)

    return r.choice((some_bytes, long, text, numbers, words, mutated, mutated, mutated))()


def knowing(r, control):
    """A line by somebody who does: mostly short work, as a machine can only start so many."""
    kind = r.random()
    if kind < control.life:
        line = some_line(r, control)
    elif kind < 0.3:
        number = NOBODY + r.getrandbits(16)
        line = r.choice((f"stop {number}", f"restart {number}", f"remove {number}",
                         f"send {number} x", f"crash {number} error", "reset-stats",
                         "stats contended", "stats times", "stats off"))
    elif kind < 0.4:
        line = f"crash {some_id(r, control)} none"
    else:
        return broken(r, some_line(r, control).encode())
    line = line.encode()
    return line + b"\n" if r.random() < 0.3 else line


class Writer(Control):
    """One of them, with children that are called after it."""

    def __init__(self, debugfs, number, foreign, learned):
        super().__init__(debugfs)
        os.close(self.log.fd)
        self.number, self.prefix = number, f"w{number}."
        self.foreign = foreign
        self.loads, self.faults = learned
        # Where all that there is are loads, children are always busy.
        self.life = 0.2 if self.entries else 0.004
        self.fd = os.open(self.file, os.O_WRONLY)
        self.sent = 0

    def write(self, line):
        try:
            done = os.write(self.fd, line)
        except OSError as error:
            return error.errno
        if done != len(line):
            raise Wrong(f"{line!r}: {done} bytes were written")
        return 0

    def shown(self):
        return {number: shown for number, shown in super().shown().items()
                if shown[0].startswith(self.prefix)}

    def spawned(self, kid, _):
        found = self.shown().keys() - self.kids.keys()
        ensure(len(found) == 1, f"{kid.name}: spawned, and there are {found} more")
        self.last = found.pop()
        self.kids[self.last] = kid

    def listen(self):
        """What was heard is looked at in the end."""

    def line(self, r):
        """The next line, the errnos that it may have, and what then becomes of the model."""
        while True:
            line = knowing(r, self) if self.number % 2 == 0 else nonsense(r)
            if line.startswith(b"spawn ") and self.number % 2 == 0:
                line = b"spawn " + self.prefix.encode() + line[6:]
            try:
                may, then = self.expect(line)
            except Unknown:
                continue
            if line:
                return line, may, then

    def expect(self, line):
        try:
            command, *args = read(line, self.faults)
        except (ValueError, KeyError, IndexError, TypeError):
            return (errno.EINVAL,), None
        number = args[0] if args and isinstance(args[0], int) else None
        # Another's, perhaps.
        if number is not None and number < NOBODY and number not in self.kids | dict.fromkeys(self.foreign):
            raise Unknown
        error, then = expect(self, line)
        if error == 0 and command == "spawn" and (len(self.kids) >= KIDS or
                                                  not args[0].startswith(self.prefix)):
            raise Unknown
        if error == 0 and command == "send":
            # All of it stays. And the one before may still be in the mailbox.
            self.sent += len(line)
            if self.sent > TEXT:
                raise Unknown
            return (0, errno.EAGAIN), then
        return (error,), then


def write_all(writer, seed, count, ask):
    """COUNT lines, and what came of them."""
    r = random.Random(f"{seed}/{writer.number}")
    results, silent = {}, 0
    for n in range(count):
        line, may, then = writer.line(r)
        got = writer.write(line)
        if got not in may:
            raise Wrong(f"{line!r}: {code(got)}, not {' or '.join(code(one) for one in may)}")
        if got == 0 and then:
            then(None)
        results[got] = results.get(got, 0) + 1
        silent += len(line) > PAGE
        if n % STEP == STEP - 1:
            ask()
        if n % LOOK == LOOK - 1:
            writer.compare(line)
    writer.compare("the last line")
    kids = {number: kid.shown() for number, kid in writer.kids.items()}
    results = {code(number): n for number, n in results.items()}
    return {"results": results, "silent": silent, "kids": kids, "heard": writer.heard}


class Follower:
    """Reads the log, and counts what refusals have said."""

    def __init__(self, log):
        self.fd = log.fd
        self.refused, self.lines, self.lost = 0, 0, 0
        self.wrong = []
        self.splat = re.compile(os.environ.get("CK_SPLAT") or r"BUG:|WARNING:|Oops")
        self.next = None

    def read(self):
        while True:
            try:
                record = os.read(self.fd, 8192).decode("utf-8", "backslashreplace")
            except BlockingIOError:
                return
            except OSError as error:
                ensure(error.errno == errno.EPIPE, str(error))
                continue
            head, _, text = record.partition(";")
            number = int(head.split(",")[1])
            if self.next is not None:
                self.lost += number - self.next
            self.next = number + 1
            self.take(text.splitlines()[0])

    def take(self, text):
        self.lines += 1
        ours = text.removeprefix("childkernel: ")
        if ours == text:
            if self.splat.search(text):
                self.wrong.append(text)
        elif ASIDE.match(ours):
            if ours.endswith(": FAILURE"):
                self.wrong.append(text)
        else:
            self.refused += 1
            # What is not printable, and a backslash, is \xNN in /dev/kmsg.
            if "\\x" in ours.replace("\\x5c", "") or len(ours) > 600:
                self.wrong.append(text)


def start(control, learned, number, seed, count):
    """A writer in a process of its own: its pid, and where it is heard and answered."""
    said, say = os.pipe()
    hear, answer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(say)
        os.close(hear)
        return pid, said, answer

    def ask():
        os.write(say, b"?")
        ensure(os.read(hear, 1) == b".", "nobody reads the log")
    status = 1
    try:
        writer = Writer(control.debugfs, number, control.foreign, learned)
        end = json.dumps(write_all(writer, seed, count, ask))
        status = 0
    except (Wrong, OSError) as wrong:
        end = json.dumps({"wrong": f"{type(wrong).__name__}: {wrong}"})
    except BaseException:  # pylint: disable=broad-except
        end = json.dumps({"wrong": traceback.format_exc()})
    with open(say, "w", encoding="ascii") as out:
        out.write(end)
    os._exit(status)


def follow(writers, follower):
    """Until all have ended. What they say in the end, by their number."""
    said = {fd: b"" for _, fd, _ in writers}
    answers = {fd: answer for _, fd, answer in writers}
    left = set(said)
    while left:
        for fd in select.select(list(left), [], [], 1)[0]:
            chunk = os.read(fd, 1 << 16)
            if chunk == b"?":
                follower.read()
                os.write(answers[fd], b".")
            elif chunk:
                said[fd] += chunk
            else:
                left.discard(fd)
                os.close(answers[fd])
    ends = []
    for pid, fd, _ in writers:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        try:
            # Its last question may be before its last word.
            ends.append(json.loads(said[fd].lstrip(b"?")))
        except ValueError:
            ends.append({"wrong": f"ended with {status}"})
    follower.read()
    return ends


def judge(control, ends, follower):
    """All writers together. Returns the errnos."""
    wrong = [end["wrong"] for end in ends if "wrong" in end]
    ensure(not wrong, "\n".join(wrong))
    results = {}
    for end in ends:
        for name, n in end["results"].items():
            results[name] = results.get(name, 0) + n
    ensure(not follower.wrong, f"the log: {follower.wrong[:5]}")
    ensure(follower.lost == 0, f"{follower.lost} lines of the log were lost")
    refused = sum(n for name, n in results.items() if name != "OK")
    refused -= sum(end["silent"] for end in ends)
    ensure(follower.refused == refused, f"{follower.refused} reasons in the log for {refused} refusals")
    # The models of all of them together are what is there.
    wanted = {int(number): tuple(kid) for end in ends for number, kid in end["kids"].items()}
    so = eventually(lambda: control.shown() == wanted)
    ensure(so, f"there is {control.shown()}, not {wanted}")
    if control.entries:
        judge_heard(control, ends)
    for number in wanted:
        ensure(control.write(f"remove {number}") == 0, f"remove {number} fails")
    ensure(not control.shown(), f"there is {control.shown()} after all were removed")
    return results


def judge_heard(control, ends):
    """Each child has heard what it was sent, in order."""
    def by_child(lines):
        heard = {}
        for line in lines:
            number, _, text = line.partition(" ")
            heard.setdefault(number, []).append(text)
        return heard

    def there():
        with open(f"{control.debugfs}_child_test/entries", encoding="ascii") as file:
            return by_child(file.read().splitlines())
    wanted = by_child(line for end in ends for line in end["heard"])
    ensure(eventually(lambda: is_prefix(there(), wanted)), "what was heard is not what was sent")


def is_prefix(there, wanted):
    """One that was stopped, or started again, has not heard what it had not looked at by then."""
    return all(is_part(lines, wanted.get(number, [])) for number, lines in there.items())


def is_part(lines, of):
    """Whether these are in there, in this order."""
    left = iter(of)
    return all(line in left for line in lines)


def main(argv):
    debugfs, seed, count = argv[1], argv[2], int(argv[3])
    number = int(argv[4]) if len(argv) > 4 else 4
    began = time.monotonic()
    try:
        control = Control(debugfs)
        control.learn()
        follower = Follower(control.log)
        learned = (control.loads, control.faults)
        writers = [start(control, learned, n, seed, count // number) for n in range(number)]
        results = judge(control, follow(writers, follower), follower)
        done = sum(results.values())
        for name in ("OK", "EINVAL", "ESRCH"):
            ensure(results.get(name, 0) > done / 200, f"only {results}")
    except (Wrong, OSError) as wrong:
        sys.exit(f"{type(wrong).__name__}: {wrong}")
    took = time.monotonic() - began
    words = " ".join(f"{name}={results[name]}" for name in sorted(results))
    print(f"{done} writes by {number} writers in {took:.0f} s: {words}; "
          f"{follower.lines} lines of the log, none lost")


if __name__ == "__main__":
    main(sys.argv)
