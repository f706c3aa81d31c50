"""Files that are renamed and recreated, or rotated while the agent is down or behind.

    files_rotation_test.py [PART-OF-A-NAME...]
"""

import signal
import sys

from files_parts import FilesTest, main


class Rotation(FilesTest):
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
            self.all_arrived()
            writer.write(self.take(10))
        self.once()

    def test_renamed_out_of_the_glob_while_the_writer_goes_on(self):
        self.append(self.log, 10)
        self.start(close="30s")
        self.all_arrived()
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
        self.all_arrived()
        text = self.take(1)
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(text[:30])
            self.marker()
            self.log.rename(self.logs / "access.log.1")
            self.append(self.log, 1)
            self.marker()
            writer.write(text[30:])
        self.once()

    # Rotated while the agent is down or behind.

    def rotated_while_down(self, name_of):
        self.append(self.log, 10)
        self.start()
        self.all_arrived()
        self.stopped()
        self.append(self.log, 10)
        for generation in range(6):
            name_of(generation)
            self.append(self.log, 20)
        before = len(self.arrived())
        rotated, live = self.expected[10:-20], self.expected[-20:]
        self.start_again()
        self.all_arrived()
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
        # The two rotated files take turns.
        self.holds(lambda: {rotated[0], rotated[5000]} <= set(self.arrived()), "lines of both rotated files came")
        self.config.write_text(self.config.read_text().replace("backlog_bytes_per_s", "# backlog_bytes_per_s"))
        self.agent.process.send_signal(signal.SIGHUP)
        self.once()


if __name__ == "__main__":
    sys.exit(main(Rotation, sys.argv[1:]))
