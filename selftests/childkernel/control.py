#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes to the file control, and compares what is there then with a model of it.

control.py DEBUGFS commands           each command, and what it does
control.py DEBUGFS refusals           what is refused, with errno and log, and changes nothing
control.py DEBUGFS loads              each load with each primitive, in one child
control.py DEBUGFS parallel           many writers at once
control.py DEBUGFS slow               one child that takes long to stop
control.py DEBUGFS most               as many children as there may be
control.py DEBUGFS random SEED COUNT  so many commands, valid and not

child_test must be loaded: its entry points are used. A child of hello_child stands for
those that are not of this file, if it is loaded.
"""

import errno
import json
import os
import random
import re
import sys
import time

# Far more than anything here takes, as emulated machines are slow.
PATIENCE = 20
ENTRIES = ("idle", "fails", "ends", "echo", "stubborn", "silent", "forgotten")
COMMANDS = ("spawn", "stop", "restart", "remove", "crash", "send", "reset-stats", "stats")
FAULTS = ("error", "panic", "bug", "null", "spin", "leak", "none")
DAY = 86_400_000
# What children and loads say of themselves, when they do.
ASIDE = re.compile(r"child \d+ \(|.*: end: |\d+ \(.*\): spawned|entry point ")


class Wrong(Exception):
    """What does not hold."""


def ensure(true, what):
    if not true:
        raise Wrong(what)


def eventually(so):
    """Whether it is so, after waiting for it."""
    end = time.monotonic() + PATIENCE
    while not so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def code(number):
    return errno.errorcode.get(number, str(number)) if number else "OK"


class Log:
    """What the library has said since the last look."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.fd, 0, os.SEEK_END)

    def look(self):
        lines = []
        while True:
            try:
                record = os.read(self.fd, 8192).decode("utf-8", "backslashreplace")
            except BlockingIOError:
                return lines
            except OSError as error:
                ensure(error.errno == errno.EPIPE, str(error))
                continue
            text = record.partition(";")[2].splitlines()[0]
            if text.startswith("childkernel: "):
                lines.append(text.removeprefix("childkernel: "))


class Kid:
    """A child, as the model has it."""

    def __init__(self, name, workload, owner, threads, cpu):
        self.name, self.workload, self.owner = name, workload, owner
        self.threads, self.cpu = threads, cpu
        self.generation = 1
        self.stopped = False
        self.error = 0

    def states(self):
        """What state and error it has, sooner or later."""
        if self.workload == "fails":
            return ("stopped", -errno.EIO)
        if self.stopped or self.workload == "ends":
            return ("stopped", self.error)
        return ("running", 0)

    def shown(self):
        return (self.name, self.workload, self.owner, self.threads, self.cpu,
                self.generation, *self.states())


class Control:
    """The file, the model of what it has made, and the log."""

    def __init__(self, debugfs):
        self.debugfs = debugfs
        self.file = f"{debugfs}/control"
        self.kids = {}
        self.foreign = {c["id"] for c in self.children()}
        self.last = max(self.foreign, default=0)
        self.log = Log()
        self.cpus = os.sched_getaffinity(0)
        self.heard = []
        self.loads, self.faults = {}, False

    # --- the file and the statistics ---

    def write(self, line):
        """Writes once. Returns the errno."""
        line = line if isinstance(line, bytes) else line.encode()
        fd = os.open(self.file, os.O_WRONLY)
        try:
            done = os.write(fd, line)
            ensure(done == len(line), f"{line!r}: {done} bytes were written")
            return 0
        except OSError as error:
            return error.errno
        finally:
            os.close(fd)

    def stats(self, what):
        with open(f"{self.debugfs}/stats.json", encoding="utf-8") as file:
            return json.load(file)[what]

    def children(self):
        return self.stats("children")

    def lock(self, name):
        return next(lock for lock in self.stats("locks") if lock["name"] == name)

    def shown(self):
        """All children but those that were there before."""
        return {c["id"]: (c["name"], c["workload"], c["owner"], c["threads"], c["cpu"],
                          c["generation"], c["state"], c["error"])
                for c in self.children() if c["id"] not in self.foreign}

    def child(self, number):
        return next((c for c in self.children() if c["id"] == number), None)

    # --- the model ---

    def compare(self, line):
        """What is there is what the model says, sooner or later."""
        wanted = {number: kid.shown() for number, kid in self.kids.items()}
        so = self.shown()
        # What ends by itself may not have done so yet.
        if so != wanted and not eventually(lambda: self.shown() == wanted):
            raise Wrong(f"after {line!r}: there is {self.shown()}, not {wanted}")

    def must(self, line, number=0, says=None):
        """The command gives this errno, the log says this, and the model holds."""
        got = self.write(line)
        said = self.log.look()
        ensure(got == number, f"{line!r}: {code(got)}, not {code(number)}: {said}")
        reasons = [text for text in said if not ASIDE.match(text)]
        ensure(len(reasons) == (number != 0), f"{line!r}: says {reasons}")
        if says is not None:
            ensure(reasons and re.search(says, reasons[0]), f"{line!r}: says {reasons}, not {says}")
        return said

    def spawn(self, line, kid):
        """Spawns it, and returns its ID."""
        return self.spawned(kid, self.must(line))

    def spawned(self, kid, said):
        found = [re.fullmatch(r"(\d+) \((.*)\): spawned", text) for text in said]
        found = [match for match in found if match]
        ensure(len(found) == 1 and found[0][2] == kid.name, f"{kid.name}: says {said}")
        number = int(found[0][1])
        ensure(number > self.last, f"ID {number} after {self.last}")
        self.last = number
        self.kids[number] = kid
        return number

    def listen(self):
        """What the echoes have heard is all that they were sent, in order."""
        def so():
            with open(f"{self.debugfs}_child_test/entries", encoding="ascii") as file:
                return file.read().splitlines() == self.heard
        ensure(eventually(so), f"heard is not {self.heard}")

    def say(self, number, text):
        """Sends to an echo, which must hear it."""
        self.must(f"send {number} {text}")
        self.heard.append(f"{number} {text}")
        self.listen()

    def learn(self):
        """Has the log say which loads there are."""
        def valid(line):
            said = self.must(line, errno.EINVAL)
            return said[0].partition("valid are ")[2].split(", ")
        self.loads = {load: valid(f"spawn x workload={load} primitive=-")
                      for load in valid("spawn x workload=-")}
        ensure("counter" in self.loads and "mutex" in self.loads["counter"], f"{self.loads}")
        said = self.must("crash", errno.EINVAL)
        self.faults = "FAULTS=1" not in said[0]

    def clear(self):
        for number in list(self.kids):
            self.must(f"remove {number}")
            del self.kids[number]
        self.compare("remove")


# --- what a line means, in other words than the module's -----------------------

NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,31}")


def whole(text, low, high):
    """A number without a sign."""
    if not re.fullmatch("[0-9]+", text, re.ASCII) or not low <= int(text) <= high:
        raise ValueError
    return int(text)


def one_of(*words):
    def read(text):
        if text not in words:
            raise ValueError
        return text
    return read


def named(text):
    if not NAME.fullmatch(text):
        raise ValueError
    return text


def memory(text):
    match = re.fullmatch("([0-9]+)([km]?)", text, re.ASCII)
    unit = {"": 1, "k": 1 << 10, "m": 1 << 20}
    if not match or int(match[1]) * unit[match[2]] >= 1 << 63:
        raise ValueError
    return int(match[1]) * unit[match[2]]


def nice(text):
    if not re.fullmatch("-?[0-9]+", text, re.ASCII) or not -20 <= int(text) <= 19:
        raise ValueError
    return int(text)


def scheduling(text):
    if text.startswith("fifo:"):
        whole(text[5:], 1, 99)
        return "fifo"
    return one_of("normal", "batch", "idle")(text)


def depth(text):
    number = whole(text, 1, 1 << 16)
    if number & (number - 1):
        raise ValueError
    return number


def cpu_list(text):
    if not re.fullmatch("[0-9,:/-]+", text, re.ASCII):
        raise ValueError
    return text


KEYS = {
    "workload": named, "primitive": named, "entry": named, "threads": lambda t: whole(t, 1, 1024),
    "cpus": cpu_list, "memory": memory, "nice": nice, "scheduling": scheduling,
    "restart": one_of("never", "on-error", "on-crash", "always"),
    "limit": lambda t: whole(t, 1, 64), "window": lambda t: whole(t, 1, DAY),
    "backoff": lambda t: whole(t, 1, DAY), "backoff-max": lambda t: whole(t, 1, DAY),
    "heartbeat": lambda t: whole(t, 0, DAY), "depth": depth,
}


class Unknown(Exception):
    """A line that this model has no word on, or that would be too much for a machine."""


def read_spawn(words):
    """The name and the values."""
    name = named(words[0])
    values = {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if not equals or key in values:
            raise ValueError
        values[key] = KEYS[key](value)
    if ("workload" in values) == ("entry" in values):
        raise ValueError
    if "primitive" in values and "entry" in values or "depth" in values and "workload" in values:
        raise ValueError
    how = {"limit", "window", "backoff", "backoff-max"} & values.keys()
    if how and values.get("restart", "never") == "never":
        raise ValueError
    if "window" in values and "limit" not in values:
        raise ValueError
    if "backoff-max" in values and values["backoff-max"] < values.get("backoff", DAY + 1):
        raise ValueError
    return name, values


def read(line, faults):
    """The command with what belongs to it. ValueError, KeyError, IndexError: there is none."""
    line = line.removesuffix(b"\n")
    if not 1 <= len(line) <= 512 or any(not 0x20 <= byte < 0x7f for byte in line):
        raise ValueError
    text = line.decode("ascii")
    words = text.split()
    command, rest = words[0], words[1:]
    if command == "spawn":
        return command, *read_spawn(rest)
    if command == "reset-stats" and not rest:
        return (command,)
    if command == "stats" and len(rest) == 1:
        return command, one_of("off", "contended", "times")(rest[0])
    if command not in COMMANDS[1:6] or command == "crash" and not faults:
        raise ValueError
    number = whole(rest[0], 1, (1 << 64) - 1)
    if command == "send":
        # All that follows, as it is.
        return command, number, re.match(r" *\S+ +\S+ +(\S.*)", text)[1]
    if command == "crash":
        if len(rest) != 2:
            raise ValueError
        return command, number, one_of(*FAULTS)(rest[1])
    if len(rest) != 1:
        raise ValueError
    return command, number


def first_cpu(control, text):
    """The first CPU of a list."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        raise Unknown
    cpus = set()
    for part in text.split(","):
        low, _, high = part.partition("-")
        low, high = int(low), int(high or low)
        if low > high or high > 4096:
            raise ValueError
        cpus.update(range(low, high + 1))
    if not cpus <= control.cpus:
        raise ValueError
    return min(cpus)


def expect_spawn(control, name, values):
    """The errno, and the child that there will be."""
    cpu = first_cpu(control, values["cpus"]) if "cpus" in values else None
    if "entry" in values:
        if values["entry"] not in ENTRIES[:4]:
            if values["entry"] in ENTRIES:
                raise Unknown
            return errno.ENOENT, None
        if "depth" in values and values["entry"] != "echo":
            return errno.EOPNOTSUPP, None
        workload, threads, owner = values["entry"], values.get("threads", 1), "child_test"
    else:
        load = values["workload"]
        if load not in control.loads:
            return errno.EINVAL, None
        primitive = values.get("primitive", control.loads[load][0])
        if primitive not in control.loads[load]:
            return errno.EINVAL, None
        pairs = load == "handshake"
        workload, owner = f"{load}/{primitive}", "childkernel"
        threads = values.get("threads", 2 if pairs else 1)
        if pairs and threads % 2:
            return errno.EINVAL, None
    # What would keep this machine from its work, or end it in another way.
    if threads > 4 or 0 < values.get("heartbeat", 0) < 60_000 or \
            values.get("scheduling") == "fifo" and owner == "childkernel" or \
            values.get("restart", "never") != "never" and workload in ENTRIES[1:3]:
        raise Unknown
    return 0, Kid(name, workload, owner, threads, cpu)


def expect(control, line):
    """The errno of a line, and what it does to the model."""
    def nothing(_):
        pass
    try:
        command, *args = read(line, control.faults)
    except (ValueError, KeyError, IndexError, TypeError):
        return errno.EINVAL, nothing
    if command == "spawn":
        try:
            number, kid = expect_spawn(control, *args)
        except ValueError:
            return errno.EINVAL, nothing
        return number, nothing if number else lambda said: control.spawned(kid, said)
    if command in ("reset-stats", "stats"):
        return 0, nothing
    number = args[0]
    kid = control.kids.get(number)
    if kid is None:
        if number in control.foreign:
            return errno.EPERM, nothing
        return errno.ESRCH, nothing
    if command == "stop":
        return 0, lambda _: setattr(kid, "stopped", True)
    if command == "restart":
        def again(_):
            kid.generation += 1
            kid.stopped = False
        return 0, again
    if command == "remove":
        return 0, lambda _: control.kids.pop(number)
    if command == "send" and kid.workload != "echo":
        return errno.EOPNOTSUPP, nothing
    if command == "send":
        if kid.stopped:
            return errno.EPIPE, nothing
        def heard(_):
            control.heard.append(f"{number} {args[1]}")
            control.listen()
        return 0, heard
    # What a crash does is seen when the child looks next, so only none is tried here.
    if args[1] != "none":
        raise Unknown
    return 0, nothing


# --- lines that somebody might write -------------------------------------------

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
        threads = [2] if load == "handshake" else [1, 2, 3]
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


# --- tests ----------------------------------------------------------------------

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
        ensure(results.get(number, 0) > count / 50, f"only {results}")
    return " ".join(f"{code(n)}={results[n]}" for n in sorted(results))


def do_commands(control):
    control.learn()
    idle = control.spawn("spawn lazy entry=idle threads=3 cpus=1 nice=5 memory=64k\n",
                         Kid("lazy", "idle", "child_test", 3, 1 if 1 in control.cpus else None))
    control.compare("spawn lazy")
    load = control.spawn("spawn busy workload=counter primitive=mutex threads=2 nice=19",
                         Kid("busy", "counter/mutex", "childkernel", 2, None))
    control.compare("spawn busy")
    ensure(eventually(lambda: control.child(load)["ops"] > 0), "busy does nothing")
    for number in (idle, load):
        for _ in range(2):
            # Once more changes nothing.
            control.must(f"stop {number}")
            control.kids[number].stopped = True
            control.compare("stop")
        for _ in range(2):
            control.must(f"restart {number}\n")
            control.kids[number].stopped = False
            control.kids[number].generation += 1
            control.compare("restart")
    before = control.child(load)["ops"]
    ensure(eventually(lambda: control.child(load)["ops"] > before), "busy does nothing again")
    fails = control.spawn("  spawn   wrong entry=fails ", Kid("wrong", "fails", "child_test", 1, None))
    control.compare("spawn wrong")
    control.must(f"restart {fails}")
    control.kids[fails].generation += 1
    control.compare("restart wrong")
    commands_send(control, idle, load)
    if control.faults:
        commands_crash(control, load)
    commands_restart(control)
    commands_stats(control, load)
    # One that is there no more.
    control.must(f"remove {idle}")
    del control.kids[idle]
    control.compare("remove lazy")
    for command in ("stop", "restart", "remove"):
        control.must(f"{command} {idle}", errno.ESRCH, r"valid are the IDs of children that there are")
    control.clear()


def commands_send(control, idle, load):
    """Text for those that take it."""
    echo = control.spawn("spawn echo entry=echo depth=8 threads=2",
                         Kid("echo", "echo", "child_test", 2, None))
    silent = control.spawn("spawn silent entry=silent depth=2",
                           Kid("silent", "silent", "child_test", 1, None))
    control.compare("spawn silent")
    for text in ("hello", "two words", "  a  b ".strip(), "stop 1", "x" * 500):
        control.say(echo, text)
    control.must(f"send   {echo}   spaced  out ")
    control.heard.append(f"{echo} spaced  out ")
    control.listen()
    for _ in range(2):
        control.must(f"send {silent} x")
    control.must(f"send {silent} x", errno.EAGAIN, r"\(silent\): its mailbox is full")
    for number in (echo, silent):
        control.must(f"stop {number}")
        control.kids[number].stopped = True
        control.must(f"send {number} x", errno.EPIPE, "has ended; valid are children that run")
        # The next generation has a mailbox of its own, and nothing in it.
        control.must(f"restart {number}")
        control.kids[number].stopped = False
        control.kids[number].generation += 1
    control.compare("restart")
    control.say(echo, "again")
    for _ in range(2):
        control.must(f"send {silent} x")
    control.must(f"send {silent} x", errno.EAGAIN)
    for number in (idle, load):
        control.must(f"send {number} x", errno.EOPNOTSUPP, "takes no text; valid are entry points")
    control.must("spawn x entry=idle depth=8", errno.EOPNOTSUPP, "entry=idle takes no text")


def commands_crash(control, load):
    """An error, and what is taken back."""
    kid = control.kids[load]
    control.must(f"crash {load} none")
    control.must(f"crash {load} spin")
    control.must(f"crash {load} none")
    control.compare("crash none")
    control.must(f"crash {load} error")
    kid.stopped, kid.error = True, -errno.EIO
    control.compare("crash error")
    control.must(f"crash {load} error", errno.EPIPE, "is stopped; valid are children that run")
    control.must(f"crash {load} none")
    control.must(f"restart {load}")
    kid.stopped, kid.error = False, 0
    kid.generation += 1
    control.compare("restart after a crash")
    control.must(f"crash {1 << 40} error", errno.ESRCH)
    for number in sorted(control.foreign)[:1]:
        # Any child.
        control.must(f"crash {number} none")


def commands_stats(control, load):
    """What locks count, and that they begin again."""
    def taken():
        return control.lock("counter/mutex")["acquisitions"]

    def goes_on():
        before = control.child(load)["ops"]
        ensure(eventually(lambda: control.child(load)["ops"] > before), "busy does nothing")
    for mode in ("contended", "times"):
        control.must(f"stats {mode}")
        before = taken()
        goes_on()
        ensure(eventually(lambda: taken() > before), f"stats {mode} counts nothing")
    control.must("stats off")
    # Guards that are held keep what they began with.
    goes_on()
    before = taken()
    ensure(before > 0, "nothing was counted")
    goes_on()
    ensure(taken() == before, "stats off counts")
    control.must("reset-stats")
    ensure(taken() == 0, "reset-stats keeps counts")
    control.must("stats times")
    ensure(eventually(lambda: taken() > 0), "stats times counts nothing any more")


def commands_restart(control):
    """Started again as often as was said."""
    control.must("spawn tries entry=fails restart=on-error limit=2 window=60000 backoff=1 backoff-max=2")
    control.must("spawn rests entry=ends restart=on-error backoff=1")
    control.must("spawn again entry=ends restart=always limit=3 backoff=1")

    def shown():
        return {c["name"]: (c["id"], c["state"], c["generation"]) for c in control.children()}
    wanted = {"tries": ("failed", 3), "rests": ("stopped", 1), "again": ("failed", 4)}

    def so():
        there = shown()
        return all(there[name][1:] == end for name, end in wanted.items())
    ensure(eventually(so), f"there is {shown()}, not {wanted}")
    for name in wanted:
        number = shown()[name][0]
        control.last = max(control.last, number)
        control.must(f"remove {number}")


def do_refusals(control):
    control.learn()
    idle = control.spawn("spawn here entry=idle", Kid("here", "idle", "child_test", 1, None))
    commands = "valid are spawn, stop, restart, remove, crash, send, reset-stats, stats$"
    loads = "valid are counter, record, list, handshake"
    table = [
        ("halt", commands), ("  ", commands), ("\n", "a line of 0 bytes"),
        ("stop\t1", "byte 0x09 at 4: valid is printable ASCII"),
        (b"stop 1\0", "byte 0x00 at 6"), (b"st\xc3\xa9p 1", "byte 0xc3 at 2"),
        (f"stop {idle}\nstop {idle}\n", "several lines in one write: valid is one"),
        (f"stop {idle}\n\n", "several lines"),
        (f"stop {idle} {idle}", "nothing may follow"),
        ("stop", "stop: wants an ID"), ("stop -1", "-1: valid are 1 to 18446744073709551615"),
        ("restart 0", "0: valid are 1 to"), ("remove 18446744073709551616", "valid are 1 to"),
        ("reset-stats all", "all: nothing may follow"),
        ("stats all", "all: valid are off, contended, times"),
        ("stats", "stats: valid are off, contended, times"),
        (f"send {idle}", "send: wants a text"),
        ("send 1 " + "x" * 506, "a line of 513 bytes: valid are 1 to 512"),
        ("spawn", "spawn: wants a name, and workload= or entry="), ("spawn x", "spawn: wants a name"),
        ("spawn x,y entry=idle", "x,y: valid are 1 to 31 letters, digits or -_.:/"),
        ("spawn " + "x" * 32 + " entry=idle", "valid are 1 to 31 letters"),
        ("spawn x entry=idle workload=counter", "entry=: does not go with workload="),
        ("spawn x entry=idle primitive=mutex", "primitive=mutex: does not go with entry="),
        ("spawn x workload=counter depth=1", "depth=1: does not go with workload="),
        ("spawn x workload=all", loads), ("spawn x workload=counters", loads),
        ("spawn x workload=counter primitive=all", "primitive=all: valid are spinlock, .*, atomic$"),
        ("spawn x workload=handshake threads=3", "threads=3: valid for handshake are even numbers"),
        ("spawn x entry=idle colour=red", "colour=red: valid are workload=, primitive=, "),
        ("spawn x entry=idle idle", "idle: valid are workload=, primitive=, "),
        ("spawn x entry=idle threads=1 threads=1", "threads=1: is there twice"),
        ("spawn x entry=idle threads=0", "threads=0: valid are 1 to 1024"),
        ("spawn x entry=idle threads=1025", "threads=1025: valid are 1 to 1024"),
        ("spawn x entry=idle threads=+1", "valid are 1 to 1024"),
        ("spawn x entry=idle threads=4294967297", "valid are 1 to 1024"),
        ("spawn x entry=idle cpus=all", "cpus=all: wants a list of CPUs such as 0,2-3"),
        ("spawn x entry=idle cpus=4095", "cpus=4095: valid are lists of online CPUs"),
        ("spawn x entry=idle cpus=,", "cpus=,: valid are lists of online CPUs"),
        ("spawn x entry=idle memory=1g", "memory=1g: valid are numbers of bytes, or with k or m"),
        ("spawn x entry=idle memory=8796093022208m", "valid are numbers of bytes"),
        ("spawn x entry=idle nice=20", "nice=20: valid are -20 to 19"),
        ("spawn x entry=idle scheduling=fifo", "valid are normal, batch, idle, fifo:1 to fifo:99"),
        ("spawn x entry=idle scheduling=fifo:100", "valid are normal, batch, idle, fifo:1 to"),
        ("spawn x entry=idle restart=sometimes",
         "restart=sometimes: valid are never, on-error, on-crash, always$"),
        ("spawn x entry=idle limit=1", "limit=1: wants restart=on-error, on-crash or always"),
        ("spawn x entry=idle restart=always limit=65", "limit=65: valid are 1 to 64"),
        ("spawn x entry=idle restart=always window=5", "window=5: wants limit="),
        ("spawn x entry=idle restart=always backoff=86400001", "valid are 1 to 86400000"),
        ("spawn x entry=idle restart=always backoff=5 backoff-max=4",
         "backoff-max=4: wants no less than backoff="),
        ("spawn x entry=idle heartbeat=-1", "heartbeat=-1: valid are 0 to 86400000"),
        ("spawn x entry=idle depth=3", "depth=3: valid are powers of two, 1 to 65536"),
        (f"crash {idle}", "valid are error, panic" if control.faults else "FAULTS=1"),
    ]
    for line, says in table:
        control.must(line, errno.EINVAL, says)
        control.compare(line)
    # More than a page is not even looked at.
    ensure(control.write("x" * 5000) == errno.EINVAL, "5000 bytes are taken")
    others = [(f"{command} {1 << 40}", errno.ESRCH, "valid are the IDs of children that there are")
              for command in ("stop", "restart", "remove")]
    others += [(f"send {1 << 40} x", errno.ESRCH, "valid are the IDs"),
               ("spawn x entry=nobody", errno.ENOENT, "entry=nobody: valid are .*idle, fails, ends")]
    for number in list(control.foreign)[:1]:
        others += [(f"{command} {number}", errno.EPERM, "valid are those that were spawned here")
                   for command in ("stop", "restart", "remove")]
    for line, number, says in others:
        control.must(line, number, says)
        control.compare(line)
    # It takes no more than it is given, and there is nothing to read.
    ensure(control.write("") == 0, "an empty write fails")
    try:
        os.close(os.open(control.file, os.O_RDONLY))
        ensure(os.stat(control.file).st_mode & 0o777 == 0o200, "the file has another mode")
        with open(control.file, "rb", buffering=0) as file:
            ensure(file.read(1) == b"", "it can be read")
    except OSError as error:
        ensure(error.errno in (errno.EINVAL, errno.EACCES), str(error))
    control.clear()


def do_loads(control):
    """Each load ends well, in two generations."""
    control.learn()
    for load, primitives in control.loads.items():
        for primitive in primitives:
            label = f"{load}/{primitive}"
            number = control.spawn(f"spawn one workload={load} primitive={primitive} threads=2",
                                   Kid("one", label, "childkernel", 2, None))
            control.compare(label)
            done = 0
            for _ in range(2):
                ensure(eventually(lambda: control.child(number)["ops"] > done), f"{label}: no ops")
                control.log.look()
                control.must_end(number, label)
                done = control.child(number)["ops"]
            ensure(control.child(number)["violations"] == 0, f"{label}: violations")
            control.must(f"remove {number}")
            del control.kids[number]


def must_end(self, number, label):
    """Restarted, it says in the log how it went."""
    said = self.must(f"restart {number}")
    self.kids[number].generation += 1
    ends = [text for text in said if text.startswith(f"{label}: end: ")]
    ensure(len(ends) == 1 and ", 0 violations, " in ends[0] and ends[0].endswith(": SUCCESS"),
           f"{label}: says {said}")
    self.compare(label)


Control.must_end = must_end


def in_processes(jobs):
    """Runs each in a process of its own, all at once."""
    pids = []
    for job in jobs:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                job()
                status = 0
            except Wrong as wrong:
                print(wrong, flush=True)
            finally:
                os._exit(status)
        pids.append(pid)
    wrong = [pid for pid in pids if os.waitpid(pid, 0)[1] != 0]
    ensure(not wrong, f"{len(wrong)} of {len(pids)} writers went wrong")


def do_parallel(control):
    """Writers with children of their own, and one child that all want."""
    common = control.spawn("spawn common entry=idle", Kid("common", "idle", "child_test", 1, None))
    rounds = 12

    def own(name):
        def number():
            found = [c["id"] for c in control.children() if c["name"] == name]
            ensure(len(found) == 1, f"{len(found)} are called {name}")
            return found[0]

        def state(wanted):
            child = control.child(number())
            ensure(child["state"] == wanted, f"{name} is {child['state']}, not {wanted}")

        def ok(line):
            got = control.write(line)
            ensure(got == 0, f"{line}: {code(got)}")
        for n in range(rounds):
            entry = "workload=counter nice=19" if n % 4 == 0 else "entry=idle threads=2"
            ok(f"spawn {name} {entry}")
            state("running")
            ok(f"stop {number()}")
            state("stopped")
            ok(f"restart {number()}")
            state("running")
            mine = number()
            ok(f"remove {mine}")
            ensure(control.child(mine) is None, f"{name} is still there")
            ensure(control.write(f"stop {mine}") == errno.ESRCH, f"{name} is still taken")

    def shared():
        for n in range(rounds * 2):
            got = control.write(f"{('stop', 'restart')[n % 2]} {common}")
            ensure(got == 0, f"common: {code(got)}")
    in_processes([lambda name=name: own(name) for name in ("p0", "p1", "p2", "p3")] + [shared] * 3)
    control.log.look()
    control.must(f"stop {common}")
    kid = control.kids[common]
    kid.stopped = True
    # Each restart of each writer was one.
    kid.generation += 3 * rounds
    control.log.look()
    control.compare("all writers")
    control.clear()


def do_slow(control):
    """While a child takes long to stop, all else goes on."""
    def tell(word):
        with open(f"{control.debugfs}_child_test/entries", "w", encoding="ascii") as file:
            file.write(word)
    tell("hold")
    slow = control.spawn("spawn slow entry=stubborn", Kid("slow", "stubborn", "child_test", 1, None))
    control.compare("spawn slow")
    pid = os.fork()
    if pid == 0:
        os._exit(control.write(f"stop {slow}"))
    try:
        ensure(eventually(lambda: control.child(slow)["state"] == "stopping"), "it is not stopped")
        other = control.spawn("spawn other entry=idle", Kid("other", "idle", "child_test", 1, None))
        for command in ("stop", "restart", "remove"):
            control.must(f"{command} {other}")
        del control.kids[other]
        control.must("stats times")
        control.must("stop 1000000000", errno.ESRCH)
        ensure(control.child(slow)["state"] == "stopping", "it has stopped by itself")
        ensure(os.waitpid(pid, os.WNOHANG) == (0, 0), "the writer did not wait")
    finally:
        tell("release")
    ensure(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "the stop fails")
    control.kids[slow].stopped = True
    control.compare("stop slow")
    control.must(f"restart {slow}")
    tell("hold")
    removed_by_one(control, slow, lambda: tell("release"))
    del control.kids[slow]
    control.log.look()
    control.compare("remove slow")


def removed_by_one(control, number, release):
    """Many wait for the same child to go, and one of them has taken it away."""
    def remove():
        got = control.write(f"remove {number}")
        gone = control.child(number) is None
        os._exit({(0, True): 0, (errno.ESRCH, True): 2, (errno.ESRCH, False): 2}.get((got, gone), 1))

    def waits(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(") ")[2][0] in "DS"
    pids = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            remove()
        pids.append(pid)
    so = eventually(lambda: all(waits(pid) for pid in pids) and
                    control.child(number)["state"] == "stopping")
    # Those that sleep do so in the write, but for a moment before it.
    time.sleep(0.1)
    release()
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    ensure(so, "they do not wait")
    ensure(sorted(ends) == [0, 2, 2, 2, 2, 2], f"they end with {ends}")


def do_most(control):
    """As many as there may be, and they go with the module."""
    for n in range(1024):
        got = control.write(f"spawn n{n} entry=ends")
        ensure(got == 0, f"child {n}: {code(got)}")
    control.log.look()
    control.must("spawn more entry=ends", errno.ENOSPC, "there are 1024 already")
    ids = [c["id"] for c in control.children() if c["id"] not in control.foreign]
    ensure(len(ids) == 1024, f"there are {len(ids)}")
    # A line that is refused takes no place, and one that is given back is free.
    control.must("spawn more entry=nobody", errno.ENOSPC)
    control.must(f"remove {ids[5]}")
    control.must("spawn more entry=nobody", errno.ENOENT)
    control.must("spawn more entry=ends")
    control.must("spawn more entry=ends", errno.ENOSPC)


def main(argv):
    tests = {"commands": do_commands, "refusals": do_refusals, "loads": do_loads,
             "parallel": do_parallel, "slow": do_slow, "most": do_most}
    debugfs, test, *args = argv[1:]
    try:
        control = Control(debugfs)
        if test == "random":
            print(do_random(control, int(args[0]), int(args[1])))
        else:
            tests[test](control)
    except (Wrong, OSError) as wrong:
        sys.exit(f"{type(wrong).__name__}: {wrong}")


if __name__ == "__main__":
    main(sys.argv)
