"""Files as they really behave, against the real agent: every line that was written arrives, whole and
exactly once, by its id, whatever is done to the files.

    files_test.py [PART-OF-A-NAME...]

The cases run in parallel threads; each has a folder and agents of its own."""

import bz2
import collections
import concurrent.futures
import contextlib
import errno
import fcntl
import gzip
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback
import unittest
import urllib.error
import urllib.request
import zlib

import weir_parts
from weir_parts import await_fact

BIN = weir_parts.BIN.resolve()  # some cases start it from elsewhere

# What does not hold yet: name -> why. A case that is listed and passes fails the run: take it out.
EXPECTED_TO_FAIL = {}

# Case names that take longest come first.
SLOW = ("ten_thousand", "killed", "overflow")


class Agent:
    def __init__(self, folder, config, prefix=()):
        self.log = folder / f"agent-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([*map(str, prefix), BIN / "weir-agent", "run", "--config", config],
                                            stdout=out, stderr=subprocess.STDOUT)
        self.address = await_fact(lambda: re.search(r"http://(\S+?)/metrics", self.said()) or self.process.poll() is not None,
                                  "the agent is up", 30)
        if self.address is True:
            raise AssertionError(f"the agent ended with {self.process.returncode}: {self.said()}")
        self.address = self.address[1]
        self.pid = self.process.pid

    def said(self):
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
        """Stopped, so that what comes now is found in one look."""
        self.process.send_signal(signal.SIGSTOP)
        await_fact(lambda: pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", "it is stopped", 10)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)


class Files(unittest.TestCase):
    def setUp(self):
        self.deadline = 6 if self._testMethodName in EXPECTED_TO_FAIL else 40
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-files-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.logs, self.out = self.folder / "log", self.folder / "out"
        self.log = self.logs / "access.log"
        self.logs.mkdir()
        (self.folder / "markers").mkdir()
        self.next_id, self.expected, self.agents, self.agent = 0, [], [], None
        self.came, self.read = [], 0
        self.addCleanup(self.end_agents)

    def end_agents(self):
        for agent in self.agents:
            agent.kill()
            agent.last_said = agent.said()
            if "Sanitizer" in agent.last_said:
                raise AssertionError(agent.last_said)

    # What is written, and what came.

    def lines(self, count):
        first, self.next_id = self.next_id, self.next_id + count
        return [f'192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] "GET /{n:08d} HTTP/1.1" 200 10 "-" "-"' for n in range(first, first + count)]

    def take(self, count):
        """The bytes of `count` new lines, which are expected to come."""
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
            self.came += whole.decode(errors="surrogateescape").split("\n")[:-1]
        return self.came

    def missing(self):
        self.arrived()
        return collections.Counter(self.expected) - collections.Counter(self.came)

    def all_came(self):
        self.holds(lambda: len(self.arrived()) >= len(self.expected) and not self.missing(), lambda: f"each line came; missing {self.shown(self.missing())}")

    def descriptors(self):
        """What the agent's descriptors are of. It opens and closes some while they are looked at."""
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
        """A line in a new file: once it came, the agent has looked at all files again."""
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
        self.assertEqual(self.agent.stop(), 0, self.agent.said())

    def once(self, but=lambda line: False):
        """Each line came exactly once, also after one more start; lines that `but` accepts may have come beside them."""
        self.all_came()
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
        self.all_came()
        torn = set(self.arrived()) - set(self.expected)
        self.assertFalse(torn, sorted(torn)[:3])

    def degraded(self, *words):
        """The state that /health tells once all of `words` are in one of its problems."""
        def found():
            return [p for p in self.agent.health()["problems"] if all(w in p for w in words)]
        return self.holds(found, lambda: f"{words} in {self.agent.health()}")

    def well(self):
        # The markers come later: that there are none yet is said, and is no trouble here.
        def trouble():
            return [p for p in self.agent.health()["problems"] if not p.startswith("input markers: no file is at")]
        self.holds(lambda: not trouble(), lambda: f"well again: {self.agent.health()}")

    def behind(self):
        """The output takes no more: a pipe that nobody reads, until drain()."""
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
        # Of the open file, which only we have: the agent's end stays as it is.
        thread = threading.Thread(target=copy)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(done.set)

    # Rename and create.

    def test_renamed_and_created_while_the_writer_goes_on_in_the_old_file(self):
        self.append(self.log, 10)
        self.start(close="30s")
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(self.take(10))
            self.log.rename(self.logs / "access.log.1")
            writer.write(self.take(10))
            self.append(self.log, 10)
            for _ in range(20):
                writer.write(self.take(1))
                self.append(self.log, 1)
            self.all_came()
            writer.write(self.take(10))
        self.once()

    def test_renamed_out_of_the_glob_while_the_writer_goes_on(self):
        self.append(self.log, 10)
        self.start(close="30s")
        self.all_came()
        with open(self.log, "ab", buffering=0) as writer:
            self.log.rename(self.folder / "elsewhere")
            writer.write(self.take(10))
            self.append(self.log, 10)
            self.marker()
            writer.write(self.take(10))
        self.once()

    def test_a_torn_line_before_the_rename_is_finished_after_it(self):
        self.append(self.log, 1)
        self.start(close="30s")
        self.all_came()
        text = self.take(1)
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(text[:30])
            self.marker()
            self.log.rename(self.logs / "access.log.1")
            self.append(self.log, 1)
            self.marker()
            writer.write(text[30:])
        self.once()

    # Copy and truncate.

    def copytruncate(self, copy):
        shutil.copyfile(self.log, copy)
        os.truncate(self.log, 0)

    def copied_and_truncated(self, copy):
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(self.take(50))
            self.start()
            for _ in range(3):
                self.all_came()
                if (self.logs / "access.log.1").exists():
                    (self.logs / "access.log.1").rename(self.logs / f"access.log.{self.next_id}")
                self.copytruncate(copy)
                self.marker()  # it was seen; what grows again between two looks is another case
                writer.write(self.take(20))
        self.once()

    def test_copied_and_truncated_where_the_copy_matches(self):
        self.copied_and_truncated(self.logs / "access.log.1")

    def test_copied_and_truncated_where_the_copy_does_not_match(self):
        self.copied_and_truncated(self.folder / "copy")

    def test_copied_and_truncated_while_behind_is_read_from_the_copy(self):
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(self.take(10))
            self.start()
            self.all_came()
            self.agent.hold()
            writer.write(self.take(50))
            self.copytruncate(self.logs / "access.log.1")
            writer.write(self.take(5))
            self.agent.go_on()
        self.once()

    def test_copied_and_truncated_while_the_agent_is_down(self):
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(self.take(10))
            self.start()
            self.all_came()
            self.stopped()
            writer.write(self.take(50))
            self.copytruncate(self.logs / "access.log.1")
            writer.write(self.take(100))
            self.start_again()
        self.once()

    def test_what_was_truncated_before_it_was_read_is_said(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.agent.hold()
        with open(self.log, "ab") as lost:
            lost.write("".join(line + "\n" for line in self.lines(50)).encode())
        self.copytruncate(self.folder / "copy")
        self.append(self.log, 1)
        self.agent.go_on()
        self.all_came()
        self.holds(lambda: re.search(rf"{re.escape(str(self.log))}.*truncated|truncated.*{re.escape(str(self.log))}|lost_bytes\S* [1-9]",
                                     self.agent.said() + self.agent.get("health") + self.agent.get("metrics")), "the loss is said")

    def test_truncated_and_grown_past_the_old_offset_between_two_looks(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.agent.hold()
        os.truncate(self.log, 0)
        self.append(self.log, 50)
        self.agent.go_on()
        self.once()

    def test_truncated_and_grown_to_the_old_size_between_two_looks(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.agent.hold()
        os.truncate(self.log, 0)
        self.append(self.log, 10)
        self.agent.go_on()
        self.once()

    def test_truncated_and_grown_while_the_agent_is_down(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.stopped()
        os.truncate(self.log, 0)
        self.append(self.log, 50)
        self.start_again()
        self.once()

    def harmless(self):
        return self.agent.metric("weir_agent_lines_unparsed_total") + self.agent.metric("weir_agent_lines_filtered_total")

    def hole(self, first, later):
        """A writer without O_APPEND goes on where it was: NULs stand before its next line."""
        with open(self.log, "wb", buffering=0) as writer:
            writer.write(self.take(first))
            self.start()
            for _ in range(2):
                self.all_came()
                self.copytruncate(self.folder / "copy")
                self.marker()
                writer.write(self.take(later))
            self.all_came()
            self.holds(lambda: self.harmless() > 0, "the NULs are counted")
        self.once(but=lambda line: line.strip("\0") == "")

    def test_a_hole_that_was_made_between_two_looks(self):
        with open(self.log, "wb", buffering=0) as writer:
            writer.write(self.take(10))
            self.start()
            self.all_came()
            self.agent.hold()
            self.copytruncate(self.folder / "copy")
            writer.write(self.take(10))
            self.agent.go_on()
        self.once(but=lambda line: line.strip("\0") == "")

    def test_a_hole_of_nuls_does_not_damage_the_line_behind_it(self):
        self.hole(10, 10)

    def test_a_hole_larger_than_a_line_may_be(self):
        self.hole(20_000, 10)  # 1.7 MB

    # Deleted, inode used again.

    def test_deleted_while_behind(self):
        self.append(self.log, 10_000)
        self.start(out=self.behind(), ship='batch_max_bytes = "16KiB"')
        self.full()
        self.log.unlink()
        self.append(self.log, 10)
        self.drain()
        self.once()

    def test_renamed_out_of_the_glob_and_deleted_while_behind(self):
        self.append(self.log, 10_000)
        self.start(out=self.behind(), ship='batch_max_bytes = "16KiB"')
        self.full()
        with open(self.log, "ab", buffering=0) as writer:
            self.log.rename(self.folder / "elsewhere")
            writer.write(self.take(1000))
            (self.folder / "elsewhere").unlink()
            writer.write(self.take(10))
        self.append(self.log, 10)
        self.drain()
        self.once()

    def same_inode(self, inode):
        """A new file in place of one that was deleted, with its inode where the file system gives it out again."""
        for _ in range(50):
            self.log.touch()
            if self.log.stat().st_ino == inode:
                break
            self.log.unlink()
        self.log.touch()

    def test_an_inode_that_is_used_again_at_once_while_the_agent_is_down(self):
        for more in (5, 10, 20):  # shorter, as long and longer than what was read
            self.append(self.log, 10)
            self.start()
            self.all_came()
            self.stopped()
            inode = self.log.stat().st_ino
            self.log.unlink()
            self.same_inode(inode)
            self.append(self.log, more)
            self.start_again()
            self.all_came()
            self.stopped()
        self.start_again()
        self.once()

    def test_an_inode_that_is_used_again_at_once_while_the_agent_runs(self):
        self.start(close="0ms")
        self.append(self.log, 10)
        for more in (5, 10, 20):
            self.all_came()
            inode = self.log.stat().st_ino
            self.log.unlink()
            self.holds(lambda: not [path for path in self.descriptors() if path.startswith(str(self.log))], "the deleted file is closed")
            self.same_inode(inode)
            self.append(self.log, more)
        self.once()

    # One file, many names.

    def test_a_file_under_two_globs_by_symlink_by_hard_link_and_through_a_linked_folder(self):
        self.append(self.log, 10)
        (self.logs / "link.log").symlink_to(self.log)
        os.link(self.log, self.logs / "hard.log")
        (self.folder / "linked").symlink_to(self.logs)
        self.start(self.logs / "*.log", self.logs / "acc*", self.folder / "linked/*.log",
                   inputs=f'[[input]]\nname = "again"\npaths = ["{self.logs}/*"]')
        self.append(self.log, 10)
        self.all_came()
        self.append(self.logs / "hard.log", 10)
        self.log.rename(self.logs / "access.log.1")
        self.append(self.log, 10)
        self.once()

    def test_a_symlink_that_is_switched_to_a_new_target_and_back(self):
        targets = self.folder / "targets"
        targets.mkdir()

        def switch(name):
            (self.folder / "next").symlink_to(targets / name)
            (self.folder / "next").rename(self.logs / "current.log")
        self.append(targets / "a", 10)
        switch("a")
        self.start(self.logs / "current.log", close="1s")
        self.all_came()
        self.append(targets / "b", 10)
        switch("b")
        self.append(targets / "a", 10)
        self.append(targets / "b", 10)
        self.all_came()
        switch("a")
        self.append(targets / "a", 10)
        self.once()

    # Rotated while the agent is away or behind.

    def rotated_while_down(self, name_of):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.stopped()
        self.append(self.log, 10)
        for generation in range(6):
            name_of(generation)
            self.append(self.log, 20)
        before = len(self.arrived())
        rotated, live = self.expected[10:-20], self.expected[-20:]
        self.start_again()
        self.all_came()
        self.assertEqual(self.arrived()[before:], live + rotated, "the live one, then the others in the order in which they were written")
        self.once()

    def test_many_generations_rotated_while_the_agent_is_down_are_read_in_order(self):
        def shift(_):
            for n in range(9, 0, -1):
                if (older := self.logs / f"access.log.{n}").exists():
                    older.rename(self.logs / f"access.log.{n + 1}")
            self.log.rename(self.logs / "access.log.1")
        self.rotated_while_down(shift)

    def test_generations_named_by_their_date_are_read_in_order(self):
        self.rotated_while_down(lambda n: self.log.rename(self.logs / f"access.log-202611{20 + n}"))

    def test_a_live_file_is_shipped_while_rotated_ones_wait_for_their_rate(self):
        self.append(self.logs / "access.log.2", 5000)
        self.append(self.logs / "access.log.1", 5000)
        rotated = self.expected[:]
        self.start(ship='backlog_bytes_per_s = "1KiB"')
        for _ in range(3):
            self.append(self.log, 10)
            new = set(self.expected[-10:])
            self.holds(lambda: new <= set(self.arrived()), "the live lines came")
        left = self.agent.metric("weir_agent_backlog_bytes")
        self.assertGreater(left, 0)
        # In turns.
        self.holds(lambda: {rotated[0], rotated[5000]} <= set(self.arrived()), "lines of both rotated files came")
        self.config.write_text(self.config.read_text().replace("backlog_bytes_per_s", "# backlog_bytes_per_s"))
        self.agent.process.send_signal(signal.SIGHUP)
        self.once()

    def test_many_generations_rotated_and_compressed_while_behind(self):
        self.append(self.log, 10_000)
        self.start(out=self.behind(), ship='batch_max_bytes = "16KiB"')
        self.full()
        for _ in range(5):
            if (self.logs / "access.log.1").exists():
                self.compress(self.logs / "access.log.1")
            for n in range(9, 0, -1):
                if (older := self.logs / f"access.log.{n}.gz").exists():
                    older.rename(self.logs / f"access.log.{n + 1}.gz")
            self.append(self.log, 10)
            self.log.rename(self.logs / "access.log.1")
            self.append(self.log, 10)
        self.drain()
        self.once()

    def compress(self, path):
        text = path.read_bytes()
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(text))
        path.unlink()

    def test_rotated_to_gz_while_the_agent_is_down(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.stopped()
        self.append(self.log, 10)
        self.log.rename(self.logs / "access.log.1")
        self.compress(self.logs / "access.log.1")
        self.append(self.log, 10)
        self.start_again()
        self.once()

    def test_a_gz_beside_the_file_that_it_was_made_of(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.append(self.log, 10)
        self.log.rename(self.logs / "access.log.1")
        self.append(self.log, 10)
        (self.logs / "access.log.1.gz").write_bytes(gzip.compress((self.logs / "access.log.1").read_bytes()))
        self.marker()
        (self.logs / "access.log.1").unlink()
        self.marker()
        (self.logs / "access.log.1.gz").rename(self.logs / "access.log.2.gz")
        self.once()

    def test_compressed_one_rotation_later(self):
        self.append(self.log, 10)
        self.start()
        for n in range(4):
            self.all_came()
            for older in range(9, 0, -1):
                if (file := self.logs / f"access.log.{older}.gz").exists():
                    file.rename(self.logs / f"access.log.{older + 1}.gz")
            if (self.logs / "access.log.1").exists():
                self.compress(self.logs / "access.log.1")
                (self.logs / "access.log.1.gz").rename(self.logs / "access.log.2.gz")
            self.append(self.log, 5)
            self.log.rename(self.logs / "access.log.1")
            self.append(self.log, 5 + n)
        self.once()

    def test_rotated_to_gz_while_behind(self):
        self.append(self.log, 10_000)
        self.start(out=self.behind(), ship='batch_max_bytes = "16KiB"')
        self.full()
        self.append(self.log, 10)
        self.log.rename(self.logs / "access.log.1")
        self.append(self.log, 10)
        self.compress(self.logs / "access.log.1")
        self.drain()
        self.once()

    def test_rotated_to_gz_while_behind_and_killed(self):
        self.append(self.log, 10_000)
        fifo = self.behind()
        self.start(out=fifo, ship='batch_max_bytes = "16KiB"')
        self.full()
        self.log.rename(self.logs / "access.log.1")
        self.append(self.log, 10)
        self.agent.kill()
        self.compress(self.logs / "access.log.1")
        self.drain()
        self.holds(lambda: not self.waiting(), "the pipe is empty")
        os.write(self.fifo, b"\n")  # the kill tore a line in the pipe
        self.start_again()
        self.all_came()

    # Compressed files.

    @staticmethod
    def zst(text):
        """A zstd frame of uncompressed blocks: no tool needed."""
        blocks = [text[at:at + 65536] for at in range(0, len(text), 65536)]
        frame = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(text))
        for n, block in enumerate(blocks):
            frame += struct.pack("<I", (len(block) << 3) | (n == len(blocks) - 1))[:3] + block
        return frame

    def given(self, ending, pack):
        (self.logs / f"old.log.1{ending}").write_bytes(pack(self.take(3000)))
        (self.logs / f"two.log.1{ending}").write_bytes(pack(self.take(10)) + pack(self.take(10)))
        self.start()
        self.all_came()
        (self.folder / "new").write_bytes(pack(self.take(100)[:-1]))  # its last line without '\n'
        (self.folder / "new").rename(self.logs / f"new.log-20261124{ending}")
        self.once()

    def test_a_gz_file_is_read(self):
        self.given(".gz", gzip.compress)

    def test_a_zst_file_is_read(self):
        self.given(".zst", self.zst)

    def test_a_bz2_file_is_read(self):
        self.given(".bz2", bz2.compress)

    def test_a_gz_file_that_is_still_being_written_gives_no_torn_line(self):
        text = self.take(20)
        packer = zlib.compressobj(wbits=31)
        self.start()
        with open(self.logs / "upload.log.gz", "wb", buffering=0) as upload:
            for begin, end in ((0, 50), (50, 500), (500, 1000), (1000, len(text))):
                upload.write(packer.compress(text[begin:end]) + packer.flush(zlib.Z_SYNC_FLUSH))
                self.marker()
            upload.write(packer.flush())
        self.once()

    def test_a_file_that_is_no_gz_though_it_says_so_is_refused_and_said(self):
        (self.logs / "bad.log.gz").write_bytes(b"this is not compressed\n" * 10)
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.degraded("bad.log.gz")
        self.once()

    # Folders.

    def moved(self, down):
        other = self.folder / "other"
        other.mkdir()
        self.append(self.log, 10)
        self.start(self.logs / "*.log*", other / "*.log*")
        self.all_came()
        if down:
            self.stopped()
        self.append(self.log, 10)
        self.log.rename(other / "moved.log")
        self.append(other / "moved.log", 10)
        self.append(self.log, 10)
        if down:
            self.start_again()
        self.once()

    def test_a_file_moved_to_another_watched_folder(self):
        self.moved(down=False)

    def test_a_file_moved_to_another_watched_folder_while_the_agent_is_down(self):
        self.moved(down=True)

    def test_a_folder_removed_and_made_again_is_watched_again(self):
        self.append(self.log, 10)
        self.start(scan="1h")  # what is seen is told by the system
        self.all_came()
        shutil.rmtree(self.logs)
        self.marker()
        self.logs.mkdir()
        self.marker()
        self.append(self.log, 10)
        self.all_came()
        self.append(self.logs / "other.log", 10)
        self.once()

    def test_a_folder_removed_and_made_again_between_two_scans(self):
        self.append(self.log, 10)
        self.start()
        for _ in range(5):
            self.all_came()
            shutil.rmtree(self.logs)
            self.logs.mkdir()
            self.append(self.log, 10)
        self.once()

    def test_a_folder_replaced_by_a_renamed_one(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        fresh = self.folder / "fresh"
        fresh.mkdir()
        self.append(fresh / "access.log", 10)
        self.logs.rename(self.folder / "away")
        fresh.rename(self.logs)
        self.append(self.log, 10)
        self.all_came()
        self.append(self.logs / "other.log", 10)
        self.once()

    # What may not be read, and what is no file.

    BOUND = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.getuid() == 0 else ()  # root, bound by modes

    def test_a_file_that_may_not_be_read_until_it_may(self):
        self.append(self.log, 10)
        self.log.chmod(0)
        self.start(prefix=self.BOUND)
        self.degraded(str(self.log), "ermission denied")
        self.holds(lambda: "ermission denied" in self.agent.said(), "its log says it, too")
        self.append(self.logs / "other.log", 10)
        self.all_but(10)
        self.log.chmod(0o600)
        self.well()
        self.once()

    def all_but(self, count):
        late = collections.Counter(self.expected[:count])
        self.holds(lambda: self.missing() == late, lambda: f"all but the first {count} came: {self.shown(self.missing())}")

    def test_a_file_that_may_not_be_read_at_the_next_start_goes_on_where_it_was(self):
        self.append(self.log, 10)
        self.start(prefix=self.BOUND)
        self.all_came()
        self.stopped()
        self.append(self.log, 10)
        self.log.chmod(0)
        self.start_again()
        self.degraded(str(self.log), "ermission denied")
        self.log.chmod(0o600)
        self.once()

    def test_a_folder_that_may_not_be_read_is_said_and_means_nothing_about_its_files(self):
        self.append(self.log, 10)
        self.start(prefix=self.BOUND)
        self.all_came()
        self.logs.chmod(0)
        self.addCleanup(self.logs.chmod, 0o700)
        self.marker()
        self.degraded(str(self.logs), "ermission denied")
        self.logs.chmod(0o700)
        self.append(self.log, 10)
        self.well()
        self.once()

    def replaced(self, make, remove):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.log.rename(self.folder / "old")
        make()
        said = self.degraded(str(self.log))
        self.assertRegex(said[0], "regular file|folder|directory|fifo|device|symbolic link")
        self.holds(lambda: str(self.log) in self.agent.said(), "its log says it, too")
        self.marker()
        remove()
        self.append(self.log, 10)
        self.well()
        self.once()

    def test_a_file_replaced_by_a_folder_is_refused(self):
        self.replaced(self.log.mkdir, self.log.rmdir)

    def test_a_file_replaced_by_a_fifo_is_refused(self):
        self.replaced(lambda: os.mkfifo(self.log), self.log.unlink)

    def test_a_file_replaced_by_a_device_is_refused(self):
        self.replaced(lambda: self.log.symlink_to("/dev/zero"), self.log.unlink)

    def test_a_file_replaced_by_a_loop_of_links_is_refused(self):
        self.replaced(lambda: self.log.symlink_to(self.log), self.log.unlink)

    # The registry's disk.

    def small_disk(self, state=None, size="512k"):
        """A state_dir (or another folder) on a disk of its own, in a namespace of its own: no privilege is needed."""
        state = state or self.folder / "state"
        state.mkdir(exist_ok=True)
        holder = subprocess.Popen(["unshare", "-Urm", "sh", "-c", f"mount -t tmpfs -o size={size} none {state} && echo ready && read end"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(holder.wait, 30)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.stdin.close)
        self.assertEqual(holder.stdout.readline(), b"ready\n")
        self.inside = ("nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials")
        return state

    def within(self, script):
        done = subprocess.run([*self.inside, "sh", "-c", script], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stderr

    def test_a_deleted_file_is_released_when_its_disk_gets_full_if_the_operator_says_so(self):
        disk = self.small_disk(self.logs, "8m")
        log = disk / "access.log"
        self.within(f"yes '{self.lines(1)[0]}' | head -c 3m > {log}")
        self.configure(f"{disk}/*.log*", tail='disk_pressure = "release"\nmin_free_bytes = "4MiB"')
        # Brokers that are away: nothing of it can be shipped.
        text = self.config.read_text().replace(f'[output.file]\npath = "{self.out}"\ncodec = "raw"',
                                               f'[output.kafka]\nbrokers = ["127.0.0.1:{weir_parts.free_port()}"]\ntopic = "weir"')
        self.config.write_text(text)
        self.start(prefix=self.inside)
        self.holds(lambda: self.agent.metric("weir_agent_sources") == 1, "it follows the file")
        self.within(f"rm {log}")
        (self.folder / "markers" / "seen").write_bytes(self.take(1))
        self.holds(lambda: self.agent.metric("weir_agent_sources") == 2, "it has looked at all files since")
        # There is room: it is kept.
        self.assertEqual(self.agent.metric("weir_agent_lost_bytes_total"), 0)
        self.within(f"head -c 3m /dev/zero > {disk}/filler")
        self.holds(lambda: self.agent.metric("weir_agent_lost_bytes_total") == 3 << 20, self.agent.said)
        self.assertIn(f"{3 << 20} bytes from 0 on are lost: released under disk pressure", self.agent.said())
        room = f"import os, sys; v = os.statvfs('{disk}'); sys.exit(v.f_bavail * v.f_frsize < 4 << 20)"
        self.holds(lambda: self.within(f'python3 -c "{room}"')[0] == 0, "the disk has room again")

    def test_a_registry_on_a_full_disk_ships_on_says_so_and_recovers(self):
        state = self.small_disk()
        self.append(self.log, 10)
        self.start(prefix=self.inside)
        self.all_came()
        self.within(f"cat /dev/zero > {state}/filler")
        for _ in range(200):  # until there is no place left in the registry's files, either
            self.append(self.log, 1)
            self.all_came()
            if any("registry" in p for p in self.agent.health()["problems"]):
                break
        self.degraded("registry", "full")
        self.append(self.log, 100)
        self.all_came()
        self.within(f"rm {state}/filler")
        self.well()
        self.once()

    def test_a_full_disk_at_the_start(self):
        state = self.small_disk()
        self.append(self.log, 10)
        self.within(f"cat /dev/zero > {state}/filler")
        self.configure()
        self.prefix = self.inside
        done = subprocess.run([*self.inside, BIN / "weir-agent", "run", "--config", self.config], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(state), done.stderr)
        self.within(f"rm {state}/filler")
        self.start_again()
        self.once()

    def test_a_registry_that_is_read_only_at_the_start_is_said_and_goes_on_later(self):
        state = self.small_disk()
        self.append(self.log, 10)
        self.start(prefix=self.inside)
        self.all_came()
        self.stopped()
        self.append(self.log, 10)
        self.assertEqual(self.within(f"mount -o remount,bind,ro {state}")[0], 0)
        done = subprocess.run([*self.inside, BIN / "weir-agent", "run", "--config", self.config], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(state), done.stderr)
        self.assertIn("ead-only", done.stderr)
        self.assertEqual(self.within(f"mount -o remount,bind,rw {state}")[0], 0)
        self.start_again()
        self.once()

    def test_a_registry_that_is_lost_while_the_agent_runs_is_made_again(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()
        for file in (self.folder / "state").glob("registry*"):
            file.unlink()
        self.append(self.log, 10)
        self.all_came()
        self.stopped()
        self.start_again()
        self.marker()
        self.at_least_once()
        self.stopped()
        self.expected = self.arrived()  # what came again did so once
        self.start_again()
        self.once()

    # Calls that fail: a disk that gives errors, a handle of a network file system that went stale.

    def failing(self):
        """The prefix of an agent whose calls on files fail as faults() says."""
        self.calls = weir_parts.Faults(self.folder)
        return self.calls.prefix

    def faults(self, *lines):
        self.calls.tell(*lines)

    def test_a_disk_that_gives_errors_is_said_and_read_on_once_it_gives_none(self):
        self.append(self.log, 10)
        self.start(prefix=self.failing())
        self.all_came()
        self.faults(f"read all {errno.EIO} {self.log}")
        self.expected, first = [], self.expected
        self.append(self.log, 10)
        self.expected += first
        self.degraded(str(self.log), "nput/output error")
        self.append(self.logs / "other.log", 10)
        self.all_but(10)
        self.marker()
        self.all_but(10)
        self.assertEqual(self.agent.metric("weir_agent_lost_bytes_total"), 0)
        self.faults()
        self.well()
        self.once()

    def test_a_stale_handle_is_opened_anew(self):
        self.append(self.log, 10)
        self.start(prefix=self.failing())
        self.all_came()
        self.faults(f"read old {errno.ESTALE} {self.log}", f"facts old {errno.ESTALE} {self.log}")
        self.append(self.log, 10)
        self.all_came()
        self.assertIn(f" {errno.ESTALE}\n", self.calls.met())
        self.well()
        self.once()

    def test_a_file_that_cannot_be_read_and_is_gone_is_given_up_and_said(self):
        self.append(self.log, 10)
        self.start(prefix=self.failing(), tail='missing_after = "1s"')
        self.all_came()
        self.faults(f"read all {errno.EIO} {self.log}")
        with open(self.log, "ab", buffering=0) as log:
            log.write(b"nobody will read this\n")
        self.degraded(str(self.log), "nput/output error")
        self.log.unlink()
        self.holds(lambda: self.agent.metric("weir_agent_lost_bytes_total") == 22, lambda: self.agent.said())
        self.assertIn("22 bytes from 830 on are lost: unreadable", self.agent.said())
        self.faults()
        self.append(self.log, 10)
        self.well()
        self.once()

    def test_a_registry_that_becomes_read_only_is_said_and_written_once_it_can_be(self):
        self.append(self.log, 10)
        self.start(prefix=self.failing())
        self.all_came()
        self.faults(f"write all {errno.EROFS} {self.folder}/state/registry")
        self.append(self.log, 100)
        self.all_came()
        self.degraded("registry")
        self.append(self.log, 100)
        self.all_came()
        self.faults()
        self.well()
        self.once()

    # What tells of changes.

    def limited(self, which):
        return ("unshare", "-Ur", "sh", "-c", f'echo 0 > /proc/sys/user/{which} && exec "$@"', "sh")

    def without_inotify(self, which):
        self.append(self.log, 10)
        self.start(prefix=self.limited(which))
        self.degraded("watched")
        self.append(self.log, 10)
        self.log.rename(self.logs / "access.log.1")
        self.append(self.log, 10)
        self.append(self.logs / "new.log", 10)
        self.once()

    def test_without_an_inotify_watch_to_be_had_it_scans(self):
        self.without_inotify("max_inotify_watches")

    def test_without_an_inotify_instance_to_be_had_it_scans(self):
        self.without_inotify("max_inotify_instances")

    def test_once_there_are_inotify_watches_again_it_uses_them(self):
        self.append(self.log, 10)
        self.start(prefix=self.limited("max_inotify_watches"))
        self.degraded("watched")
        subprocess.run(["nsenter", "-t", str(self.agent.pid), "-U", "--preserve-credentials", "sh", "-c",
                        "echo 1000 > /proc/sys/user/max_inotify_watches"], check=True, timeout=30)
        self.well()
        self.once()

    def test_an_overflow_of_the_queue_of_events_loses_nothing(self):
        self.append(self.log, 10)
        self.append(self.logs / "b.log", 10)
        self.start(scan="1s")
        self.all_came()
        self.agent.hold()
        events = 2 * int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        self.assertLess(events, 200_000)
        with open(self.log, "ab", buffering=0) as a, open(self.logs / "b.log", "ab", buffering=0) as b:
            for _ in range(events // 2):  # in turn: like events in a row are one
                a.write(self.take(1))
                b.write(self.take(1))
            self.log.rename(self.logs / "access.log.1")
            a.write(self.take(10))
        self.append(self.log, 10)
        self.append(self.logs / "c.log", 10)
        self.agent.go_on()
        self.once()

    def test_a_network_file_system_is_polled(self):
        self.append(self.log, 10)
        self.start(tail='watch = "poll"')
        self.all_came()
        self.assertFalse([path for path in self.descriptors() if "inotify" in path])
        self.append(self.log, 10)
        self.log.rename(self.logs / "access.log.1")
        self.append(self.log, 10)
        self.append(self.logs / "new.log", 10)
        self.once()

    # Many files, few descriptors.

    def test_ten_thousand_files_of_which_ten_grow(self):
        for n in range(10_000):
            (self.logs / f"{n}.log").write_bytes(self.take(1))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertGreater(hard, 10_100, "ulimit -Hn")
        self.start(scan="1s", prefix=("prlimit", f"--nofile={hard}"))
        self.all_came()
        for _ in range(5):
            for n in range(10):
                self.append(self.logs / f"{n * 1000}.log", 20)
            self.all_came()
        self.assertLess(self.most_memory(), 1 << 20, "KiB")
        self.once()

    def most_memory(self):
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.agent.pid}/status").read_text())[1])

    def limit(self, files):
        subprocess.run(["prlimit", "--pid", str(self.agent.pid), f"--nofile={files}:"], check=True, timeout=30)

    def test_more_files_than_descriptors_are_read_once_there_are_enough(self):
        self.append(self.log, 10)
        self.start()
        self.all_came()  # first: UBSan looks at an object's type through a pipe, once for each type
        self.limit(48)
        for n in range(100):
            (self.logs / f"{n}.log").write_bytes(self.take(3))
        self.degraded("oo many open files")
        self.limit(1000)
        self.all_came()
        self.well()
        self.once()

    def test_without_a_descriptor_no_file_is_taken_for_deleted(self):
        self.append(self.log, 10)
        self.start(close="0ms")
        self.all_came()
        self.limit(3)  # nor for a look at /health
        self.holds(lambda: "oo many open files" in self.agent.said(), "it is said")
        with open(self.log, "ab", buffering=0) as writer:
            self.log.rename(self.folder / "elsewhere")
            writer.write(self.take(10))
        self.append(self.log, 10)
        self.holds(lambda: self.missing() == collections.Counter(self.expected[-10:]),
                   lambda: f"what it has open it reads on; missing {self.shown(self.missing())}")
        self.limit(1000)
        self.well()
        self.once()

    # Lines.

    def test_a_line_without_end_is_cut_and_counted_and_the_next_is_whole(self):
        self.append(self.log, 10)
        self.start(options='max_line = "1KiB"')
        with open(self.log, "ab", buffering=0) as writer:
            for _ in range(50):
                writer.write(b"x" * 100_000)
            self.all_came()
            writer.write(b"x\n" + self.take(10))
        self.all_came()
        self.holds(lambda: self.agent.metric("weir_agent_lines_truncated_total") == 1, "it is counted once")
        self.assertLess(self.most_memory(), 400 << 10, "KiB")
        self.once(but=lambda line: line.strip("x") == "")

    def test_a_last_line_without_newline_waits_for_it(self):
        text = self.take(3)
        self.start()
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(text[:-1])
            self.marker()
            self.assertNotIn(self.expected[2], self.arrived())
            self.stopped()
            self.start_again()
            self.marker()
            self.assertNotIn(self.expected[2], self.arrived())
            writer.write(text[-1:])
        self.once()

    def test_empty_lines_are_counted_and_harm_nothing(self):
        self.log.write_bytes(b"\n\n\n" + self.take(5) + b"\n\n" + self.take(5) + b"\n")
        self.start()
        self.all_came()
        self.holds(lambda: self.agent.metric("weir_agent_lines_filtered_total") == 6, "empty lines are counted")
        self.once()

    def test_a_file_of_empty_lines_alone(self):
        (self.logs / "empty.log").write_bytes(b"\n" * 100_000)
        self.append(self.log, 10)
        self.start()
        self.all_came()
        self.append(self.logs / "empty.log", 10)
        self.once()

    def test_lines_that_end_in_crlf_are_parsed(self):
        self.log.write_bytes(self.take(10).replace(b"\n", b"\r\n"))
        self.start(codec="json")
        self.holds(lambda: len(self.arrived()) == 10, "they came")
        self.assertEqual(self.agent.metric("weir_agent_lines_unparsed_total"), 0)
        for n, line in enumerate(self.arrived()):
            self.assertNotIn("\\r", line)
            self.assertIn(f"/{n:08d}", line)
            json.loads(line)
        self.stopped()

    def test_nuls_within_a_line_touch_no_other(self):
        self.log.write_bytes(self.take(3) + b"\0" * 10 + b"garbage\0\n" + b"\0\n" + self.take(3) + b"\0" * 5000 + b"\n" + self.take(3))
        self.start()
        self.all_came()
        self.holds(lambda: self.harmless() >= 3, "what is no line of the format is counted")
        self.once(but=lambda line: "\0" in line or not line)

    # Editors.

    def test_rewritten_by_an_editor_that_writes_a_new_file_and_renames_it(self):
        self.append(self.log, 10)
        self.start()
        for _ in range(3):
            self.all_came()
            (self.logs / ".access.swp").write_bytes(self.log.read_bytes() + self.take(5))
            (self.logs / ".access.swp").rename(self.log)
            self.append(self.log, 5)
        self.once()

    def test_rewritten_by_an_editor_that_keeps_a_backup_that_no_glob_names(self):
        self.append(self.log, 10)
        self.start(self.logs / "*.log")
        self.all_came()
        self.log.rename(self.logs / "access.log~")
        (self.logs / "access.log").write_bytes(self.take(5))
        self.once()

    def test_rewritten_in_place_by_an_editor(self):
        self.append(self.log, 10)
        self.start()
        for _ in range(5):
            self.all_came()
            text = self.log.read_bytes() + self.take(5)
            self.log.write_bytes(text)
        self.once()

    def test_rewritten_in_place_with_other_lines(self):
        self.append(self.log, 10)
        self.start()
        for count in (3, 10, 30):
            self.all_came()
            self.log.write_bytes(self.take(count))
        self.once()

    # Killed.

    def rotate(self, keep=30):
        for n in range(keep, 0, -1):
            if (older := self.logs / f"access.log.{n}").exists():
                older.rename(self.logs / f"access.log.{n + 1}")
        self.log.rename(self.logs / "access.log.1")

    def writer(self, until, before_line=lambda: None):
        """Writes and rotates until told; a rotation every 40 lines."""
        def write():
            written = 0
            while not until.is_set():
                before_line()
                self.append(self.log, 1)
                written += 1
                if written % 40 == 0 and written < 1200:
                    self.rotate()
                until.wait(0.002)
        thread = threading.Thread(target=write)
        thread.start()
        return thread

    def test_killed_twenty_times_during_rotation_loses_nothing(self):
        until = threading.Event()
        chance = random.Random(4)
        self.append(self.log, 1)
        self.start()
        writing = self.writer(until)
        try:
            for _ in range(20):
                seen, more = len(self.arrived()), chance.randrange(30)
                self.holds(lambda: len(self.arrived()) >= seen + more, "it ships")
                self.agent.kill()
                self.start_again()
        finally:
            until.set()
            writing.join()
        self.at_least_once()
        self.stopped()

    def test_killed_twenty_times_during_rotation_counts_each_line_once(self):
        store, until, chance = self.folder / "weir.db", threading.Event(), random.Random(5)

        def local(*more):
            return [BIN / "weir-aggregator", "local", *more, "--store", store, f"{self.logs}/access.log*", "--listen", "127.0.0.1:0"]

        def counted():
            done = subprocess.run([BIN / "weir-aggregator", "report", "traffic", "--store", store, "--by", "status", "--step", "all", "--format", "csv"],
                                  capture_output=True, text=True, timeout=60)
            rows = done.stdout.splitlines()
            return sum(int(row.split(",")[rows[0].split(",").index("requests")]) for row in rows[1:]) if done.returncode == 0 and rows else 0
        self.append(self.log, 1)
        writing = self.writer(until)
        try:
            for _ in range(20):
                seen, more = counted(), chance.randrange(1, 30)
                with open(self.folder / "local.log", "ab") as said:
                    process = subprocess.Popen(local(), stdout=said, stderr=said)
                try:
                    self.holds(lambda: counted() >= seen + more, lambda: (self.folder / "local.log").read_text()[-2000:])
                finally:
                    process.kill()
                    process.wait(30)
        finally:
            until.set()
            writing.join()
        for _ in range(2):
            done = subprocess.run(local("--once"), capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(counted(), len(self.expected))


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


def main(wanted):
    cases = [c for c in unittest.defaultTestLoader.loadTestsFromTestCase(Files)
             if not wanted or any(w in c._testMethodName for w in wanted)]
    cases.sort(key=lambda c: not any(word in c._testMethodName for word in SLOW))
    unknown = set(EXPECTED_TO_FAIL) - set(unittest.defaultTestLoader.getTestCaseNames(Files))
    wrong = sorted(unknown)
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("WEIR_TEST_JOBS", "8"))) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, case) for case in cases]):
            case, why, seconds = done.result()
            name = case._testMethodName
            listed = EXPECTED_TO_FAIL.get(name)
            verdict = ("as expected, fails" if listed else "FAILS") if why else ("PASSES though listed in EXPECTED_TO_FAIL" if listed else "ok")
            print(f"{seconds:5.1f} s  {name}: {verdict}", flush=True)
            if why and not listed:
                print(why + "".join(f"--- {a.log.name}\n{a.last_said[-2000:]}" for a in case.agents), flush=True)
            if bool(why) != bool(listed):
                wrong.append(name)
    print(f"{len(cases)} cases, {sum(c._testMethodName in EXPECTED_TO_FAIL for c in cases)} of them expected to fail, {len(wrong)} wrong: {' '.join(wrong)}")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
