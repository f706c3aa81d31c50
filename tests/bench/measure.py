"""Measures what a process used, and formats the numbers of several rounds."""

import collections
import os
import pathlib
import re
import signal
import statistics
import subprocess
import threading
import time

Used = collections.namedtuple("Used", "cpu_s wall_s rss_mb")


class Measured:
    """A process. Its CPU time comes from wait4(), its peak RSS from its own VmHWM, because the largest RSS in
    rusage also counts the program that started it."""

    def __init__(self, arguments, log, env=None):
        self.began = time.monotonic()
        self.log = pathlib.Path(log)
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([str(a) for a in arguments], stdout=out, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, env=env)
        self.peak_mb = 0.0
        self.ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while not self.ended.wait(0.05):
            self.look()

    def look(self):
        try:
            status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return
        found = re.search(r"VmHWM:\s+(\d+)", status)
        self.peak_mb = max(self.peak_mb, int(found[1]) / 1024 if found else 0)

    def cpu_s(self):
        """CPU time so far, of all threads, in the scheduler's nanoseconds."""
        total = 0
        for thread in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                total += int((thread / "schedstat").read_text().split()[0])
            except OSError:
                continue
        return total / 1e9

    def wait(self, allowed=(0,)):
        _, status, usage = os.wait4(self.process.pid, 0)
        self.ended.set()
        code = self.process.returncode = os.waitstatus_to_exitcode(status)
        if code not in allowed:
            raise RuntimeError(f"{self.process.args[0]} ended with {code}:\n{self.log.read_text(errors='replace')[-2000:]}")
        return Used(usage.ru_utime + usage.ru_stime, time.monotonic() - self.began, self.peak_mb)

    def stop(self, allowed=(0,)):
        self.look()
        self.process.send_signal(signal.SIGTERM)
        return self.wait(allowed)


def run(arguments, log, env=None, allowed=(0,)):
    return Measured(arguments, log, env).wait(allowed)


def quantile(values, q):
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(q * len(ranked)))]


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(values):
    """The median, and the range of the rounds."""
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} ({number(min(values))}..{number(max(values))})"


class Table:
    """The rows of one section: each has a figure per round, and a target."""

    def __init__(self):
        self.rows = []

    def add(self, what, values, unit="", target=None, at_most=False):
        """`target`: the median must reach it, or with at_most stay below it."""
        verdict, wanted = "", ""
        if target is not None:
            middle = statistics.median(values)
            verdict = "OK" if (middle <= target if at_most else middle >= target) else "MISSED"
            wanted = f"{'≤' if at_most else '≥'} {number(target)}"
        self.rows.append((what, spread(values), unit, wanted, verdict))

    def text(self, title):
        head = ("", "median (min..max)", "unit", "target", "")
        lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in self.rows]) + "\n"
