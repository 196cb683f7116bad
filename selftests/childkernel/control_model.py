# SPDX-License-Identifier: GPL-2.0
"""The file control, a model of what it has made, and what a line means: for control.py."""

import errno
import json
import os
import re
import time

# Far more than anything here takes, as emulated machines are slow.
PATIENCE = 20
ENTRIES = ("idle", "fails", "ends", "echo", "stubborn", "silent", "forgotten")
PAIRS = ("handshake", "requests")
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
    # Python has another name for it.
    if number == errno.EOPNOTSUPP:
        return "EOPNOTSUPP"
    return errno.errorcode.get(number, str(number)) if number else "OK"


def owner_of(module):
    """What its children are said to belong to: where it is built in, there is no such module."""
    return module if os.path.exists(f"/sys/module/{module}/initstate") else "kernel"


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
        self.entries = ENTRIES if os.path.isdir(f"{debugfs}_child_test") else ()

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
    if not re.fullmatch(rb"[ -~]{1,512}", line):
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
        if values["entry"] not in control.entries:
            return errno.ENOENT, None
        if values["entry"] not in ENTRIES[:4]:
            raise Unknown
        if "depth" in values and values["entry"] != "echo":
            return errno.EOPNOTSUPP, None
        workload, threads, owner = values["entry"], values.get("threads", 1), owner_of("child_test")
    else:
        load = values["workload"]
        if load not in control.loads:
            return errno.EINVAL, None
        primitive = values.get("primitive", control.loads[load][0])
        if primitive not in control.loads[load]:
            return errno.EINVAL, None
        workload, owner = f"{load}/{primitive}", owner_of("childkernel")
        threads = values.get("threads", 2 if load in PAIRS + ("pipeline",) else 1)
        if load in PAIRS and threads % 2 or load == "pipeline" and threads == 1 or \
                load == "memory" and threads != 1:
            return errno.EINVAL, None
    # What would keep this machine from its work, or end it in another way.
    if threads > 4 or 0 < values.get("heartbeat", 0) < 60_000 or \
            values.get("scheduling") == "fifo" and "workload" in values or \
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
    if kid is None and number not in control.foreign:
        return errno.ESRCH, nothing
    # Any child can be crashed, those of others too.
    if kid is None and command != "crash":
        return errno.EPERM, nothing
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
