"""Full and read-only disks, a lost registry, failing calls.

    files_errors_test.py [PART-OF-A-NAME...]
"""

import errno
import subprocess
import sys

import weir_parts
from files_parts import BIN, FilesTest, main


class Errors(FilesTest):
    # The registry's disk.

    def small_disk(self, state=None, size="512k"):
        """A state_dir (or another folder) on a disk of its own, in a namespace of its own. Needs no privilege."""
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
        # The brokers are down: nothing can be shipped.
        text = self.config.read_text().replace(f'[output.file]\npath = "{self.out}"\ncodec = "raw"',
                                               f'[output.kafka]\nbrokers = ["127.0.0.1:{weir_parts.free_port()}"]\ntopic = "weir"')
        self.config.write_text(text)
        self.start(prefix=self.inside)
        self.holds(lambda: self.agent.metric("weir_agent_sources") == 1, "it follows the file")
        self.within(f"rm {log}")
        (self.folder / "markers" / "seen").write_bytes(self.take(1))
        self.holds(lambda: self.agent.metric("weir_agent_sources") == 2, "it has looked at all files since")
        # There is enough space: the file is kept.
        self.assertEqual(self.agent.metric("weir_agent_lost_bytes_total"), 0)
        self.within(f"head -c 3m /dev/zero > {disk}/filler")
        self.holds(lambda: self.agent.metric("weir_agent_lost_bytes_total") == 3 << 20, self.agent.log_text)
        self.assertIn(f"{3 << 20} bytes from 0 on are lost: released under disk pressure", self.agent.log_text())
        room = f"import os, sys; v = os.statvfs('{disk}'); sys.exit(v.f_bavail * v.f_frsize < 4 << 20)"
        self.holds(lambda: self.within(f'python3 -c "{room}"')[0] == 0, "the disk has room again")

    def test_a_registry_on_a_full_disk_ships_on_says_so_and_recovers(self):
        state = self.small_disk()
        self.append(self.log, 10)
        self.start(prefix=self.inside)
        self.all_arrived()
        self.within(f"cat /dev/zero > {state}/filler")
        for _ in range(200):  # until the registry's files have no space left either
            self.append(self.log, 1)
            self.all_arrived()
            if any("registry" in p for p in self.agent.health()["problems"]):
                break
        self.degraded("registry", "full")
        self.append(self.log, 100)
        self.all_arrived()
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
        self.all_arrived()
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
        self.all_arrived()
        for file in (self.folder / "state").glob("registry*"):
            file.unlink()
        self.append(self.log, 10)
        self.all_arrived()
        self.stopped()
        self.start_again()
        self.marker()
        self.at_least_once()
        self.stopped()
        self.expected = self.arrived()  # includes the lines that were sent twice
        self.start_again()
        self.once()

    # Failing calls: a disk with errors, a stale handle of a network file system.

    def failing(self):
        """The command prefix of an agent whose calls on files fail as faults() says."""
        self.calls = weir_parts.Faults(self.folder)
        return self.calls.prefix

    def faults(self, *lines):
        self.calls.tell(*lines)

    def test_a_disk_that_gives_errors_is_said_and_read_on_once_it_gives_none(self):
        self.append(self.log, 10)
        self.start(prefix=self.failing())
        self.all_arrived()
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
        self.all_arrived()
        self.faults(f"read old {errno.ESTALE} {self.log}", f"facts old {errno.ESTALE} {self.log}")
        self.append(self.log, 10)
        self.all_arrived()
        self.assertIn(f" {errno.ESTALE}\n", self.calls.met())
        self.well()
        self.once()

    def test_a_file_that_cannot_be_read_and_is_gone_is_given_up_and_said(self):
        self.append(self.log, 10)
        self.start(prefix=self.failing(), tail='missing_after = "1s"')
        self.all_arrived()
        self.faults(f"read all {errno.EIO} {self.log}")
        with open(self.log, "ab", buffering=0) as log:
            log.write(b"nobody will read this\n")
        self.degraded(str(self.log), "nput/output error")
        self.log.unlink()
        self.holds(lambda: self.agent.metric("weir_agent_lost_bytes_total") == 22, lambda: self.agent.log_text())
        self.assertIn("22 bytes from 830 on are lost: unreadable", self.agent.log_text())
        self.faults()
        self.append(self.log, 10)
        self.well()
        self.once()

    def test_a_registry_that_becomes_read_only_is_said_and_written_once_it_can_be(self):
        self.append(self.log, 10)
        self.start(prefix=self.failing())
        self.all_arrived()
        self.faults(f"write all {errno.EROFS} {self.folder}/state/registry")
        self.append(self.log, 100)
        self.all_arrived()
        self.degraded("registry")
        self.append(self.log, 100)
        self.all_arrived()
        self.faults()
        self.well()
        self.once()


if __name__ == "__main__":
    sys.exit(main(Errors, sys.argv[1:]))
