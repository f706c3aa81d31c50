"""Folders that come and go, unreadable files, and things that are not regular files.

    files_access_test.py [PART-OF-A-NAME...]
"""

import os
import shutil
import sys

from files_parts import FilesTest, main


class Access(FilesTest):
    # Folders.

    def moved(self, down):
        other = self.folder / "other"
        other.mkdir()
        self.append(self.log, 10)
        self.start(self.logs / "*.log*", other / "*.log*")
        self.all_arrived()
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
        self.start(scan="1h")  # only inotify can notify the agent
        self.all_arrived()
        shutil.rmtree(self.logs)
        self.marker()
        self.logs.mkdir()
        self.marker()
        self.append(self.log, 10)
        self.all_arrived()
        self.append(self.logs / "other.log", 10)
        self.once()

    def test_a_folder_removed_and_made_again_between_two_scans(self):
        self.append(self.log, 10)
        self.start()
        for _ in range(5):
            self.all_arrived()
            shutil.rmtree(self.logs)
            self.logs.mkdir()
            self.append(self.log, 10)
        self.once()

    def test_a_folder_replaced_by_a_renamed_one(self):
        self.append(self.log, 10)
        self.start()
        self.all_arrived()
        fresh = self.folder / "fresh"
        fresh.mkdir()
        self.append(fresh / "access.log", 10)
        self.logs.rename(self.folder / "away")
        fresh.rename(self.logs)
        self.append(self.log, 10)
        self.all_arrived()
        self.append(self.logs / "other.log", 10)
        self.once()

    # Unreadable files, and things that are not regular files.

    BOUND = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.getuid() == 0 else ()  # makes file modes
                                                                                               # apply to root, too

    def test_a_file_that_may_not_be_read_until_it_may(self):
        self.append(self.log, 10)
        self.log.chmod(0)
        self.start(prefix=self.BOUND)
        self.degraded(str(self.log), "ermission denied")
        self.holds(lambda: "ermission denied" in self.agent.log_text(), "its log says it, too")
        self.append(self.logs / "other.log", 10)
        self.all_but(10)
        self.log.chmod(0o600)
        self.well()
        self.once()

    def test_a_file_that_may_not_be_read_at_the_next_start_goes_on_where_it_was(self):
        self.append(self.log, 10)
        self.start(prefix=self.BOUND)
        self.all_arrived()
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
        self.all_arrived()
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
        self.all_arrived()
        self.log.rename(self.folder / "old")
        make()
        said = self.degraded(str(self.log))
        self.assertRegex(said[0], "regular file|folder|directory|fifo|device|symbolic link")
        self.holds(lambda: str(self.log) in self.agent.log_text(), "its log says it, too")
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


if __name__ == "__main__":
    sys.exit(main(Access, sys.argv[1:]))
