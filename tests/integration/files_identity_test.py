"""Deleted files, reused inodes, one file under many names, files that an editor rewrites.

    files_identity_test.py [PART-OF-A-NAME...]
"""

import os
import sys

from files_parts import FilesTest, main


class Identity(FilesTest):
    # Deleted, inode reused.

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
        """Replaces a deleted file by a new one, with the same inode if the file system reuses it."""
        for _ in range(50):
            self.log.touch()
            if self.log.stat().st_ino == inode:
                break
            self.log.unlink()
        self.log.touch()

    def test_an_inode_that_is_used_again_at_once_while_the_agent_is_down(self):
        for more in (5, 10, 20):  # shorter than what was read, as long, and longer
            self.append(self.log, 10)
            self.start()
            self.all_arrived()
            self.stopped()
            inode = self.log.stat().st_ino
            self.log.unlink()
            self.same_inode(inode)
            self.append(self.log, more)
            self.start_again()
            self.all_arrived()
            self.stopped()
        self.start_again()
        self.once()

    def test_an_inode_that_is_used_again_at_once_while_the_agent_runs(self):
        self.start(close="0ms")
        self.append(self.log, 10)
        for more in (5, 10, 20):
            self.all_arrived()
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
        self.all_arrived()
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
        self.all_arrived()
        self.append(targets / "b", 10)
        switch("b")
        self.append(targets / "a", 10)
        self.append(targets / "b", 10)
        self.all_arrived()
        switch("a")
        self.append(targets / "a", 10)
        self.once()

    # Editors.

    def test_rewritten_by_an_editor_that_writes_a_new_file_and_renames_it(self):
        self.append(self.log, 10)
        self.start()
        for _ in range(3):
            self.all_arrived()
            (self.logs / ".access.swp").write_bytes(self.log.read_bytes() + self.take(5))
            (self.logs / ".access.swp").rename(self.log)
            self.append(self.log, 5)
        self.once()

    def test_rewritten_by_an_editor_that_keeps_a_backup_that_no_glob_names(self):
        self.append(self.log, 10)
        self.start(self.logs / "*.log")
        self.all_arrived()
        self.log.rename(self.logs / "access.log~")
        (self.logs / "access.log").write_bytes(self.take(5))
        self.once()

    def test_rewritten_in_place_by_an_editor(self):
        self.append(self.log, 10)
        self.start()
        for _ in range(5):
            self.all_arrived()
            text = self.log.read_bytes() + self.take(5)
            self.log.write_bytes(text)
        self.once()

    def test_rewritten_in_place_with_other_lines(self):
        self.append(self.log, 10)
        self.start()
        for count in (3, 10, 30):
            self.all_arrived()
            self.log.write_bytes(self.take(count))
        self.once()


if __name__ == "__main__":
    sys.exit(main(Identity, sys.argv[1:]))
