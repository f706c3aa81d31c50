"""The real parts of the integration tests. Each is started by its script under tests/parts and
stopped by its pid. Nothing sleeps for a fixed time: await_fact() checks until a deadline."""

import collections
import csv
import io
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("WEIR_BIN", TOP / "build/asan/bin"))
PARTS = TOP / "tests/parts"
LOG_FORMAT = ('$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent "$http_referer" '
              '"$http_user_agent" "$http_x_forwarded_for" $host $request_time')


def await_fact(fact, what, seconds=90, every_s=0.05):
    """Returns fact()'s first true value. If none came, fails with `what` and the last value."""
    deadline = time.monotonic() + seconds
    value = fact()
    while not value:
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: not {what}; last: {value!r}")
        threading.Event().wait(every_s)
        value = fact()
    return value


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def part(name, *arguments):
    done = subprocess.run([PARTS / name, *map(str, arguments)], stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


class Faults:
    """Makes calls on files fail, in programs that start with `prefix`."""

    def __init__(self, folder):
        self.told = folder / "faults"
        library = folder / "failing_files.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, PARTS / "failing_files.c", "-ldl"], check=True)
        # Sanitizers want to be loaded first, but work when they are not.
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.prefix = ("env", f"LD_PRELOAD={library}", f"WEIR_FAULTS={self.told}", f"ASAN_OPTIONS={options.lstrip(':')}")

    def tell(self, *lines):
        """Applies these lines from now on; tests/parts/failing_files.c explains them."""
        fresh = self.told.with_name("faults-new")
        fresh.write_text("".join(line + "\n" for line in lines))
        fresh.rename(self.told)

    def met(self):
        met = self.told.with_name("faults-met")
        return met.read_text() if met.exists() else ""


class Program:
    """One of our programs, with its output in a file."""

    def __init__(self, folder, name, *arguments, prefix=()):
        self.log = folder / f"{name}-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([*map(str, prefix), BIN / name, *map(str, arguments)], stdout=out, stderr=subprocess.STDOUT)

    def output(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class WeirTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.programs = []

    def tearDown(self):
        outcome = self._outcome.result if hasattr(self._outcome, "result") else None
        failed = outcome and any(t is self for t, _ in outcome.failures + outcome.errors)
        for program in self.programs:
            if program.process.poll() is None:
                program.kill()
            if failed or "Sanitizer" in program.output():
                print(f"--- {program.log.name}\n{program.output()[-4000:]}")
            self.assertNotIn("Sanitizer", program.output())

    def nginx(self):
        folder = self.folder / "nginx"
        facts = part("nginx", "start", folder)
        self.addCleanup(part, "nginx", "stop", folder)
        return Nginx(folder, int(facts["port"]), pathlib.Path(facts["log"]))

    def kafka(self, brokers=1):
        folder = self.folder / "kafka"
        facts = part("kafka", "start", folder, brokers)
        self.addCleanup(part, "kafka", "stop", folder)
        return folder, facts["brokers"]

    def mariadb(self):
        folder = self.folder / "mariadb"
        facts = part("mariadb", "start", folder)
        self.addCleanup(part, "mariadb", "stop", folder)
        return facts

    def program(self, name, *arguments):
        self.programs.append(Program(self.folder, name, *arguments))
        return self.programs[-1]

    def run_once(self, name, *arguments, code=0, **keywords):
        done = subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, text=True, timeout=120, **keywords)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def report(self, *store, by="site,status"):
        """{(site, status): (requests, bytes)}, or None while the store does not answer."""
        done = subprocess.run([BIN / "weir-aggregator", "report", "traffic", *map(str, store), "--by", by, "--step", "all", "--format", "csv"],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            return None
        rows = csv.DictReader(io.StringIO(done.stdout))
        return {tuple(row[k] for k in by.split(",")): (int(row["requests"]), int(row["bytes_sent"])) for row in rows}


class Nginx:
    def __init__(self, folder, port, log):
        self.folder, self.port, self.log, self.requests = folder, port, log, 0

    def load(self, requests, site):
        """Sends `requests` requests over one connection, of four kinds in turn."""
        paths = ["/ok/100", "/ok/10000", "/missing", "/error"]
        self.requests += requests
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            reader = s.makefile("rb")
            for i in range(requests):
                s.sendall(f"GET {paths[i % 4]}?n={i} HTTP/1.1\r\nHost: {site}\r\nUser-Agent: weir \"test\"\r\n\r\n".encode())
                length = 0
                while (line := reader.readline().strip()):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                reader.read(length)

    def raw(self, request):
        self.requests += 1
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            s.sendall(request)
            s.shutdown(socket.SHUT_WR)
            while s.recv(4096):
                pass

    def rotate(self):
        older = self.log.with_suffix(".log.1")
        self.log.rename(older)
        part("nginx", "reopen", self.folder)
        await_fact(self.log.exists, "nginx wrote to a new file after USR1")

    def truth(self):
        """The content of the logs, read independently of our programs: {(site, status): (requests, bytes)}.
        nginx writes a line after its answer was read, so the last one may still be missing."""
        await_fact(lambda: sum(r for r, _ in self.logged().values()) == self.requests, "nginx wrote each line")
        return self.logged()

    def logged(self):
        line = re.compile(rb'" (\d{3}) (\d+) "[^"]*" "[^"]*" "[^"]*" (\S+) \S+$')
        sums = collections.defaultdict(lambda: [0, 0])
        for file in sorted(self.log.parent.glob("access.log*")):
            for text in file.read_bytes().splitlines():
                found = line.search(text)
                assert found, text
                row = sums[(found[3].decode(), found[1].decode())]
                row[0] += 1
                row[1] += int(found[2])
        return {key: tuple(row) for key, row in sums.items()}
