#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Writes to the file control, and compares what is there then with a model of it.

control.py DEBUGFS commands           each command, and what it does
control.py DEBUGFS refusals           what is refused, with errno and log, and changes nothing
control.py DEBUGFS loads              each load with each primitive, in one child
control.py DEBUGFS early              loads that are stopped before all their threads had a CPU
control.py DEBUGFS parallel           many writers at once
control.py DEBUGFS slow               one child that takes long to stop
control.py DEBUGFS most               as many children as there may be
control.py DEBUGFS random SEED COUNT  so many commands, valid and not

child_test must be loaded: its entry points are used. A child of hello_child stands for
those that are not of this file, if it is loaded.
"""

import errno
import os
import sys
import time

# Isolated from all else, python does not look beside the script.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
from control_model import PAIRS, Control, Kid, Wrong, code, ensure, eventually  # noqa: E402
from control_random import do_random  # noqa: E402


def do_commands(control):
    control.learn()
    cpu = max(control.cpus)
    idle = control.spawn(f"spawn lazy entry=idle threads=3 cpus={cpu} nice=5 memory=64k\n",
                         Kid("lazy", "idle", "child_test", 3, cpu))
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

    threads = 2

    def goes_on(times=1):
        wanted = control.child(load)["ops"] + times
        ensure(eventually(lambda: control.child(load)["ops"] >= wanted), "busy does nothing")
    for mode in ("contended", "times"):
        control.must(f"stats {mode}")
        before = taken()
        goes_on()
        ensure(eventually(lambda: taken() > before), f"stats {mode} counts nothing")
    control.must("stats off")
    # Each of the threads may be in the middle of what was begun before.
    before = taken()
    ensure(before > 0, "nothing was counted")
    goes_on(100)
    ensure(taken() <= before + threads, "stats off counts")
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
        ("spawn x workload=requests threads=1", "threads=1: valid for requests are even numbers"),
        ("spawn x workload=pipeline threads=1", "threads=1: valid for pipeline are numbers from 2"),
        ("spawn x workload=memory threads=2", "threads=2: valid for memory is 1"),
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
            threads = 1 if load == "memory" else 2
            number = control.spawn(f"spawn one workload={load} primitive={primitive} "
                                   f"threads={threads} memory=64k",
                                   Kid("one", label, "childkernel", threads, None))
            control.compare(label)
            for command in ("restart", "remove"):
                done = control.child(number)["ops"]
                ensure(eventually(lambda: control.child(number)["ops"] > done), f"{label}: no ops")
                ensure(control.child(number)["violations"] == 0, f"{label}: violations")
                control.log.look()
                ends_well(label, control.must(f"{command} {number}"))
                control.kids[number].generation += 1
                if command == "remove":
                    del control.kids[number]
                control.compare(label)


def do_early(control):
    """A thread that is stopped before it had a CPU leaves no partner waiting in vain."""
    control.learn()
    for load in PAIRS:
        for primitive in control.loads[load]:
            label = f"{load}/{primitive}"
            for threads in (2, 32):
                control.must(f"spawn early workload={load} primitive={primitive} threads={threads} nice=19")
                number = max(control.shown())
                said = control.must(f"stop {number}")
                ensure(control.child(number)["violations"] == 0, f"{label}: violations: {said}")
                said += control.must(f"remove {number}")
                # If none has begun there is no load, and nothing is said of it.
                ends = [text for text in said if ": end: " in text]
                ensure(all(text.endswith(": SUCCESS") for text in ends), f"{label}: says {said}")


def ends_well(label, said):
    """The log has how a generation of a load has ended."""
    ends = [text for text in said if text.startswith(f"{label}: end: ")]
    ensure(len(ends) == 1 and ", 0 violations, " in ends[0] and ends[0].endswith(": SUCCESS"),
           f"{label}: says {said}")


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
    ensure(eventually(lambda: control.child(slow)["ops"] == 1), "it does not begin")
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
    ensure(eventually(lambda: control.child(slow)["ops"] == 2), "it does not begin again")
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
    tests = {"commands": do_commands, "refusals": do_refusals, "loads": do_loads, "early": do_early,
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
