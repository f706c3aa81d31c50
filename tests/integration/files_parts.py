"""Shared by files_*_test.py: an agent on its own files, and what must arrive. Every written line must arrive complete and
exactly once, whatever happens to the files; lines are found by their ids. Each case has its own folder and agents."""

import collections
import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
import traceback
import unittest
import urllib.error
import urllib.request

import weir_parts
from weir_parts import await_fact

BIN = weir_parts.BIN.resolve()  # some cases start it from another folder

# The slowest cases, by a part of their names. They start first.
SLOW = ("ten_thousand", "killed", "overflow")


class Agent:
    def __init__(self, folder, config, prefix=()):
        self.log = folder / f"agent-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([*map(str, prefix), BIN / "weir-agent", "run", "--config", config],
                                            stdout=out, stderr=subprocess.STDOUT)
        self.address = await_fact(lambda: re.search(r"http://(\S+?)/metrics", self.log_text()) or self.process.poll() is not None,
                                  "the agent is up", 30)
        if self.address is True:
            raise AssertionError(f"the agent ended with {self.process.returncode}: {self.log_text()}")
        self.address = self.address[1]
        self.pid = self.process.pid

    def log_text(self):
        return self.log.read_text(errors="replace")

    def get(self, what):
        try:
            with urllib.request.urlopen(f"http://{self.address}/{what}", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as degraded:
            return degraded.read().decode()

    def health(self):
        return json.loads(self.get("health"))

    def metric(self, name):
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.get("metrics").splitlines()
                   if line.split(" ")[0].split("{")[0] == name)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)

    def hold(self):
        """Stops the process, so that one scan finds everything that happens until resume()."""
        self.process.send_signal(signal.SIGSTOP)
        await_fact(lambda: pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "it is stopped", 10)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class FilesTest(unittest.TestCase):
    # Cases that cannot pass yet: name -> why. If a listed case passes, the run fails: remove it here.
    EXPECTED_TO_FAIL = {}

    def setUp(self):
        self.deadline = 6 if self._testMethodName in self.EXPECTED_TO_FAIL else 40
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-files-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.logs, self.out = self.folder / "log", self.folder / "out"
        self.log = self.logs / "access.log"
        self.logs.mkdir()
        (self.folder / "markers").mkdir()
        self.next_id, self.expected, self.agents, self.agent = 0, [], [], None
        self.received, self.read = [], 0
        self.addCleanup(self.end_agents)

    def end_agents(self):
        for agent in self.agents:
            agent.kill()
            agent.last_log = agent.log_text()
            if "Sanitizer" in agent.last_log:
                raise AssertionError(agent.last_log)

    # What was written, and what arrived.

    def lines(self, count):
        first, self.next_id = self.next_id, self.next_id + count
        return [f'192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] "GET /{n:08d} HTTP/1.1" 200 10 "-" "-"' for n in range(first, first + count)]

    def take(self, count):
        """Returns the bytes of `count` new lines, which are expected to arrive."""
        fresh = self.lines(count)
        self.expected += fresh
        return "".join(line + "\n" for line in fresh).encode()

    def append(self, path, count):
        with open(path, "ab", buffering=0) as log:
            log.write(self.take(count))

    def arrived(self):
        if self.out.exists():
            with open(self.out, "rb") as out:
                out.seek(self.read)
                text = out.read()
            whole = text[:text.rfind(b"\n") + 1]
            self.read += len(whole)
            self.received += whole.decode(errors="surrogateescape").split("\n")[:-1]
        return self.received

    def missing(self):
        self.arrived()
        return collections.Counter(self.expected) - collections.Counter(self.received)

    def all_arrived(self):
        self.holds(lambda: len(self.arrived()) >= len(self.expected) and not self.missing(), lambda: f"each line came; missing {self.shown(self.missing())}")

    def descriptors(self):
        """The targets of the agent's descriptors. The agent may open and close some while they are listed."""
        out = []
        for fd in pathlib.Path(f"/proc/{self.agent.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                out.append(os.readlink(fd))
        return out

    def holds(self, fact, what):
        try:
            return await_fact(fact, "so", self.deadline)
        except AssertionError:
            raise AssertionError(f"after {self.deadline} s not: {what() if callable(what) else what}") from None

    @staticmethod
    def shown(lines):
        return f"{sum(lines.values())}: {sorted(lines)[:3]} ... {sorted(lines)[-1:]}" if lines else "none"

    def marker(self):
        """Writes a line to a new file. Once it arrives, the agent has scanned all files again."""
        with open(self.folder / "markers" / f"{self.next_id}", "wb") as log:
            log.write(self.take(1))
        last = self.expected[-1]
        self.holds(lambda: last in self.arrived(), "a line in a new file came")

    # The agent.

    def configure(self, *paths, codec="raw", scan="200ms", close="200ms", tail="", inputs="", ship="", out=None, options="", state=None):
        self.config = self.folder / "agent.toml"
        globs = ", ".join(json.dumps(str(p)) for p in paths or [self.logs / "*.log*"])
        self.config.write_text(f"""
[agent]
id = "web1"
state_dir = "{state or self.folder / "state"}"
[[input]]
name = "web"
paths = [{globs}]
{options}
[[input]]
name = "markers"
paths = ["{self.folder}/markers/*"]
{inputs}
[output.file]
path = "{out or self.out}"
codec = "{codec}"
[ship]
flush_interval = "50ms"
shutdown_timeout = "5s"
{ship}
[tail]
scan_interval = "{scan}"
close_rotated = "{close}"
{tail}
[metrics]
listen = "127.0.0.1:0"
""")

    def start(self, *paths, prefix=(), **keywords):
        if paths or keywords or not hasattr(self, "config"):
            self.configure(*paths, **keywords)
        self.prefix = prefix
        return self.start_again()

    def start_again(self):
        self.agent = Agent(self.folder, self.config, self.prefix)
        self.agents.append(self.agent)
        return self.agent

    def stopped(self):
        self.assertEqual(self.agent.stop(), 0, self.agent.log_text())

    def once(self, but=lambda line: False):
        """Checks that each line arrived exactly once, also after another start. Lines that `but` accepts may have arrived too."""
        self.all_arrived()
        self.marker()
        self.marker()
        self.stopped()
        self.start_again()
        self.marker()
        self.stopped()
        came = collections.Counter(line for line in self.arrived() if not but(line))
        expected = collections.Counter(self.expected)
        if came != expected:
            self.fail(f"missing {self.shown(expected - came)}; too many {self.shown(came - expected)}")

    def at_least_once(self):
        self.all_arrived()
        torn = set(self.arrived()) - set(self.expected)
        self.assertFalse(torn, sorted(torn)[:3])

    def degraded(self, *words):
        """Waits until one problem in /health contains all of `words`, and returns such problems."""
        def found():
            return [p for p in self.agent.health()["problems"] if all(w in p for w in words)]
        return self.holds(found, lambda: f"{words} in {self.agent.health()}")

    def well(self):
        # There are no markers yet. /health reports that, which is not a problem here.
        def trouble():
            return [p for p in self.agent.health()["problems"] if not p.startswith("input markers: no file is at")]
        self.holds(lambda: not trouble(), lambda: f"well again: {self.agent.health()}")

    def behind(self):
        """An output that is full: a pipe that nobody reads until drain()."""
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        self.fifo = os.open(fifo, os.O_RDWR)
        self.addCleanup(os.close, self.fifo)
        return fifo

    def waiting(self):
        return struct.unpack("i", fcntl.ioctl(self.fifo, termios.FIONREAD, b"\0" * 4))[0]

    def full(self):
        self.holds(lambda: self.waiting() >= 40_000, "the pipe is full")

    def drain(self):
        done = threading.Event()

        def copy():
            with open(self.out, "ab", buffering=0) as out:
                while not done.is_set():
                    try:
                        bytes_ = os.read(self.fifo, 1 << 16)
                    except BlockingIOError:
                        done.wait(0.01)
                        continue
                    out.write(bytes_)
        os.set_blocking(self.fifo, False)
        # This affects only our open file; the agent's end still blocks.
        thread = threading.Thread(target=copy)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(done.set)

    def harmless(self):
        return self.agent.metric("weir_agent_lines_unparsed_total") + self.agent.metric("weir_agent_lines_filtered_total")

    def all_but(self, count):
        late = collections.Counter(self.expected[:count])
        self.holds(lambda: self.missing() == late, lambda: f"all but the first {count} came: {self.shown(self.missing())}")


class Outcome(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.why = None

    def addError(self, test, err):
        self.why = self.why or "".join(traceback.format_exception(*err))

    addFailure = addError


def run(case):
    began, outcome = time.monotonic(), Outcome()
    case.run(outcome)
    return case, outcome.why, time.monotonic() - began


def main(kind, wanted):
    """Runs the cases of a class in parallel threads. `wanted`: run only cases whose name contains one of these texts."""
    cases = [c for c in unittest.defaultTestLoader.loadTestsFromTestCase(kind)
             if not wanted or any(w in c._testMethodName for w in wanted)]
    cases.sort(key=lambda c: not any(word in c._testMethodName for word in SLOW))
    unknown = set(kind.EXPECTED_TO_FAIL) - set(unittest.defaultTestLoader.getTestCaseNames(kind))
    wrong = sorted(unknown)
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("WEIR_TEST_JOBS", "8"))) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, case) for case in cases]):
            case, why, seconds = done.result()
            name = case._testMethodName
            listed = kind.EXPECTED_TO_FAIL.get(name)
            verdict = ("as expected, fails" if listed else "FAILS") if why else ("PASSES though listed in EXPECTED_TO_FAIL" if listed else "ok")
            print(f"{seconds:5.1f} s  {name}: {verdict}", flush=True)
            if why and not listed:
                print(why + "".join(f"--- {a.log.name}\n{a.last_log[-2000:]}" for a in case.agents), flush=True)
            if bool(why) != bool(listed):
                wrong.append(name)
    print(f"{len(cases)} cases, {sum(c._testMethodName in kind.EXPECTED_TO_FAIL for c in cases)} of them expected to fail, {len(wrong)} wrong: {' '.join(wrong)}")
    return 1 if wrong or not cases else 0
