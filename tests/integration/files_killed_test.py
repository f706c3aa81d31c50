"""The agent is killed while its files rotate.

    files_killed_test.py [PART-OF-A-NAME...]
"""

import random
import subprocess
import sys
import threading

from files_parts import BIN, FilesTest, main


class Killed(FilesTest):
    # Killed.

    def rotate(self, keep=30):
        for n in range(keep, 0, -1):
            if (older := self.logs / f"access.log.{n}").exists():
                older.rename(self.logs / f"access.log.{n + 1}")
        self.log.rename(self.logs / "access.log.1")

    def writer(self, until, before_line=lambda: None):
        """Writes until `until` is set, and rotates after every 40 lines."""
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


if __name__ == "__main__":
    sys.exit(main(Killed, sys.argv[1:]))
