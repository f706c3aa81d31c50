"""Files that are compressed while the agent is up, down, behind or killed.

    files_compressed_test.py [PART-OF-A-NAME...]
"""

import bz2
import gzip
import os
import struct
import sys
import zlib

from files_parts import FilesTest, main


class Compressed(FilesTest):
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
        self.all_arrived()
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
        self.all_arrived()
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
            self.all_arrived()
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
        os.write(self.fifo, b"\n")  # the kill cut a line in the pipe
        self.start_again()
        self.all_arrived()

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
        self.all_arrived()
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
        self.all_arrived()
        self.degraded("bad.log.gz")
        self.once()


if __name__ == "__main__":
    sys.exit(main(Compressed, sys.argv[1:]))
