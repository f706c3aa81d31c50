"""One box: real nginx, weir-aggregator local, SQLite."""

import gzip
import unittest

from weir_parts import LOG_FORMAT, WeirTest


class SingleBox(WeirTest):
    def test_every_request_once_through_rotation_gz_and_a_second_run(self):
        nginx = self.nginx()
        nginx.load(200, "a.example")
        nginx.rotate()
        nginx.load(101, "b.example")
        truth = nginx.truth()
        self.assertEqual(sum(requests for requests, _ in truth.values()), 301)
        store = self.folder / "weir.db"

        def run():
            done = self.run_once("weir-aggregator", "local", "--once", "--store", store, "--log-format", LOG_FORMAT,
                                 f"{nginx.log}*", "--listen", "127.0.0.1:0")
            self.assertIn("a.example", done.stdout)
            return self.report("--store", store)

        self.assertEqual(run(), truth)
        self.assertEqual(run(), truth, "a second run counts nothing again")
        rotated = nginx.log.with_suffix(".log.1")
        compressed = nginx.log.with_suffix(".log.2.gz")
        compressed.write_bytes(gzip.compress(rotated.read_bytes()))
        rotated.unlink()
        self.assertEqual(run(), truth, "a compressed file is the file that it was")

    def test_a_missing_log_is_said_and_has_its_exit_code(self):
        missing = self.folder / "nothing.log"
        done = self.run_once("weir-aggregator", "local", "--once", "--store", self.folder / "weir.db", missing, code=3)
        self.assertIn(str(missing), done.stderr)


if __name__ == "__main__":
    unittest.main()
