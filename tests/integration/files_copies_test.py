"""Files that are copied and truncated, and the holes that this can leave.

    files_copies_test.py [PART-OF-A-NAME...]
"""

import os
import re
import shutil
import sys

from files_parts import FilesTest, main


class Copies(FilesTest):
    # Copy and truncate.

    def copytruncate(self, copy):
        shutil.copyfile(self.log, copy)
        os.truncate(self.log, 0)

    def copied_and_truncated(self, copy):
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(self.take(50))
            self.start()
            for _ in range(3):
                self.all_arrived()
                if (self.logs / "access.log.1").exists():
                    (self.logs / "access.log.1").rename(self.logs / f"access.log.{self.next_id}")
                self.copytruncate(copy)
                self.marker()  # the agent has seen it; growth between two scans is a different case
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
            self.all_arrived()
            self.agent.hold()
            writer.write(self.take(50))
            self.copytruncate(self.logs / "access.log.1")
            writer.write(self.take(5))
            self.agent.resume()
        self.once()

    def test_copied_and_truncated_while_the_agent_is_down(self):
        with open(self.log, "ab", buffering=0) as writer:
            writer.write(self.take(10))
            self.start()
            self.all_arrived()
            self.stopped()
            writer.write(self.take(50))
            self.copytruncate(self.logs / "access.log.1")
            writer.write(self.take(100))
            self.start_again()
        self.once()

    def test_what_was_truncated_before_it_was_read_is_said(self):
        self.append(self.log, 10)
        self.start()
        self.all_arrived()
        self.agent.hold()
        with open(self.log, "ab") as lost:
            lost.write("".join(line + "\n" for line in self.lines(50)).encode())
        self.copytruncate(self.folder / "copy")
        self.append(self.log, 1)
        self.agent.resume()
        self.all_arrived()
        self.holds(lambda: re.search(rf"{re.escape(str(self.log))}.*truncated|truncated.*{re.escape(str(self.log))}|lost_bytes\S* [1-9]",
                                     self.agent.log_text() + self.agent.get("health") + self.agent.get("metrics")), "the loss is said")

    def test_truncated_and_grown_past_the_old_offset_between_two_looks(self):
        self.append(self.log, 10)
        self.start()
        self.all_arrived()
        self.agent.hold()
        os.truncate(self.log, 0)
        self.append(self.log, 50)
        self.agent.resume()
        self.once()

    def test_truncated_and_grown_to_the_old_size_between_two_looks(self):
        self.append(self.log, 10)
        self.start()
        self.all_arrived()
        self.agent.hold()
        os.truncate(self.log, 0)
        self.append(self.log, 10)
        self.agent.resume()
        self.once()

    def test_truncated_and_grown_while_the_agent_is_down(self):
        self.append(self.log, 10)
        self.start()
        self.all_arrived()
        self.stopped()
        os.truncate(self.log, 0)
        self.append(self.log, 50)
        self.start_again()
        self.once()

    def hole(self, first, later):
        """A writer without O_APPEND continues at its old offset: NULs precede its next line."""
        with open(self.log, "wb", buffering=0) as writer:
            writer.write(self.take(first))
            self.start()
            for _ in range(2):
                self.all_arrived()
                self.copytruncate(self.folder / "copy")
                self.marker()
                writer.write(self.take(later))
            self.all_arrived()
            self.holds(lambda: self.harmless() > 0, "the NULs are counted")
        self.once(but=lambda line: line.strip("\0") == "")

    def test_a_hole_that_was_made_between_two_looks(self):
        with open(self.log, "wb", buffering=0) as writer:
            writer.write(self.take(10))
            self.start()
            self.all_arrived()
            self.agent.hold()
            self.copytruncate(self.folder / "copy")
            writer.write(self.take(10))
            self.agent.resume()
        self.once(but=lambda line: line.strip("\0") == "")

    def test_a_hole_of_nuls_does_not_damage_the_line_behind_it(self):
        self.hole(10, 10)

    def test_a_hole_larger_than_a_line_may_be(self):
        self.hole(20_000, 10)  # 1.7 MB


if __name__ == "__main__":
    sys.exit(main(Copies, sys.argv[1:]))
