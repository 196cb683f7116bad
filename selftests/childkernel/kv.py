# SPDX-License-Identifier: GPL-2.0
"""Programs that use /dev/ckv at the same time.

    kv.py CLIENTS ROUNDS

Each has one file and keys of its own, and checks every answer. In the end the
key c<N> of client N has the value "done <N>". Prints how many records they have
written. The exit status is 1 if one of them saw something wrong.
"""

import errno
import os
import sys

DEVICE = "/dev/ckv"


class Client:
    def __init__(self, number):
        self.number = number
        self.records = 0
        self.fd = os.open(DEVICE, os.O_RDWR)

    def put(self, record, expected=0):
        self.records += 1
        try:
            got = os.write(self.fd, record.encode()) - len(record)
        except OSError as error:
            got = error.errno
        if got != expected:
            name = errno.errorcode.get(got, got)
            sys.exit(f"client {self.number}: {record}: {name}")

    def get(self, key, expected):
        self.put(f"GET {key}")
        got = os.pread(self.fd, 1000, 0).decode()
        if got != expected + "\n":
            sys.exit(f"client {self.number}: {key} is {got!r}, not {expected!r}")

    def run(self, rounds):
        for n in range(rounds):
            key, value = f"c{self.number}-{n % 3}", f"{self.number} in round {n}"
            self.put(f"SET {key} {value}")
            self.get(key, value)
            if n % 3 == 2:
                self.put(f"DEL {key}")
                self.put(f"GET {key}", errno.ENOENT)
        self.put(f"SET c{self.number} done {self.number}")


def main(clients, rounds):
    pipe = os.pipe()
    pids = []
    for number in range(clients):
        pid = os.fork()
        if pid == 0:
            client = Client(number)
            client.run(rounds)
            os.write(pipe[1], f"{client.records}\n".encode())
            sys.exit(0)
        pids.append(pid)
    os.close(pipe[1])
    bad = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    with os.fdopen(pipe[0]) as counts:
        print(sum(int(line) for line in counts))
    sys.exit(bad != 0)


main(int(sys.argv[1]), int(sys.argv[2]))
