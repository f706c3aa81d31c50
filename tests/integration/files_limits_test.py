"""Limits of the system and of lines: watches, descriptors, many files, long and odd lines.

    files_limits_test.py [PART-OF-A-NAME...]
"""

import collections
import json
import pathlib
import re
import resource
import subprocess
import sys

from files_parts import FilesTest, main


class Limits(FilesTest):
    # How the agent notices changes.

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
        self.all_arrived()
        self.agent.hold()
        events = 2 * int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        self.assertLess(events, 200_000)
        with open(self.log, "ab", buffering=0) as a, open(self.logs / "b.log", "ab", buffering=0) as b:
            for _ in range(events // 2):  # alternating: the kernel merges equal events in a row
                a.write(self.take(1))
                b.write(self.take(1))
            self.log.rename(self.logs / "access.log.1")
            a.write(self.take(10))
        self.append(self.log, 10)
        self.append(self.logs / "c.log", 10)
        self.agent.resume()
        self.once()

    def test_a_network_file_system_is_polled(self):
        self.append(self.log, 10)
        self.start(tail='watch = "poll"')
        self.all_arrived()
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
        self.all_arrived()
        for _ in range(5):
            for n in range(10):
                self.append(self.logs / f"{n * 1000}.log", 20)
            self.all_arrived()
        self.assertLess(self.most_memory(), 1 << 20, "KiB")
        self.once()

    def most_memory(self):
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.agent.pid}/status").read_text())[1])

    def limit(self, files):
        subprocess.run(["prlimit", "--pid", str(self.agent.pid), f"--nofile={files}:"], check=True, timeout=30)

    def test_more_files_than_descriptors_are_read_once_there_are_enough(self):
        self.append(self.log, 10)
        self.start()
        self.all_arrived()  # first: UBSan checks an object's type through a pipe, once per type
        self.limit(48)
        for n in range(100):
            (self.logs / f"{n}.log").write_bytes(self.take(3))
        self.degraded("oo many open files")
        self.limit(1000)
        self.all_arrived()
        self.well()
        self.once()

    def test_without_a_descriptor_no_file_is_taken_for_deleted(self):
        self.append(self.log, 10)
        self.start(close="0ms")
        self.all_arrived()
        self.limit(3)  # not even one left for a request to /health
        self.holds(lambda: "oo many open files" in self.agent.log_text(), "it is said")
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
            self.all_arrived()
            writer.write(b"x\n" + self.take(10))
        self.all_arrived()
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
        self.all_arrived()
        self.holds(lambda: self.agent.metric("weir_agent_lines_filtered_total") == 6, "empty lines are counted")
        self.once()

    def test_a_file_of_empty_lines_alone(self):
        (self.logs / "empty.log").write_bytes(b"\n" * 100_000)
        self.append(self.log, 10)
        self.start()
        self.all_arrived()
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
        self.all_arrived()
        self.holds(lambda: self.harmless() >= 3, "what is no line of the format is counted")
        self.once(but=lambda line: "\0" in line or not line)


if __name__ == "__main__":
    sys.exit(main(Limits, sys.argv[1:]))
