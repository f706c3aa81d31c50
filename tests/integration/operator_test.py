"""An operator's commands to an agent: what a start would read, whether a file may be deleted, editing the registry."""

import gzip
import json
import unittest

from weir_parts import WeirTest, await_fact

LINE = '192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] "GET /{} HTTP/1.1" 200 10 "-" "-"\n'


class Operator(WeirTest):
    def setUp(self):
        super().setUp()
        self.log, self.out = self.folder / "access.log", self.folder / "out"
        self.config = self.folder / "agent.toml"
        self.config.write_text(f"""
[agent]
id = "web1"
state_dir = "{self.folder}/state"
[[input]]
name = "web"
paths = ["{self.log}*"]
[output.file]
path = "{self.out}"
codec = "raw"
[metrics]
listen = ""
""")

    def weir(self, *arguments, code=0):
        return self.run_once("weir-agent", *arguments, "--config", self.config, code=code)

    def agent(self):
        return self.program("weir-agent", "run", "--config", self.config)

    def plan(self):
        return [json.loads(line) for line in self.weir("status", "--plan", "--json").stdout.splitlines()]

    def exported(self):
        return [json.loads(line) for line in self.weir("registry", "export").stdout.splitlines()]

    def drained(self, path):
        await_fact((self.folder / "state/registry").exists, "the registry is there")
        self.weir("drained", path, "--wait", "60s")

    def write(self, first, end, mode="a"):
        with open(self.log, mode) as log:
            log.write("".join(LINE.format(n) for n in range(first, end)))

    def test_a_file_is_deleted_only_once_it_is_drained(self):
        self.write(0, 100)
        self.weir("drained", self.log, code=3)
        agent = self.agent()
        self.drained(self.log)
        self.assertEqual(self.out.read_text(), self.log.read_text())
        with open(self.log, "a") as log:
            log.write("half a line")
        self.weir("drained", self.log, code=11)
        with open(self.log, "a") as log:
            log.write(" and its end\n")
        self.weir("drained", self.log, "--wait", "60s")
        # copytruncate, then compress: the copy is never read, but still drained.
        text = self.log.read_text()
        (self.folder / "access.log.1").write_text(text)
        self.write(100, 101, mode="w")
        self.weir("drained", self.log, "--wait", "60s")
        self.weir("drained", self.folder / "access.log.1", "--wait", "60s")
        (self.folder / "access.log.1").unlink()
        (self.folder / "access.log.2.gz").write_bytes(gzip.compress(text.encode()))
        self.weir("drained", self.folder / "access.log.2.gz", "--wait", "60s")
        # Renamed with unshipped content while the agent is down.
        agent.stop()
        self.write(101, 200)
        self.log.rename(self.folder / "access.log.1")
        self.weir("drained", self.folder / "access.log.1", code=11)
        self.agent()
        self.weir("drained", self.folder / "access.log.1", "--wait", "60s")
        self.assertEqual(self.out.read_text(), text + "".join(LINE.format(n) for n in range(100, 200)))

    def test_what_a_start_would_read(self):
        self.write(0, 100)
        (new,) = self.plan()
        self.assertEqual((new["path"], new["offset"], new["why"]), (str(self.log), 0, "new"))
        self.assertFalse((self.folder / "state").exists())
        agent = self.agent()
        self.drained(self.log)
        size = self.log.stat().st_size
        self.assertEqual([(line["source"], line["offset"]) for line in self.plan()], [(new["source"], size)])
        agent.stop()
        self.log.rename(self.folder / "access.log.1")
        self.write(100, 101)
        self.assertEqual({line["path"]: line["offset"] for line in self.plan()}, {f"{self.log}.1": size, str(self.log): 0})

    def test_an_offset_is_set_by_hand(self):
        self.write(0, 10)
        agent = self.agent()
        self.drained(self.log)
        (entry,) = self.exported()
        source, old = entry["source"], entry["acknowledged_offset"]
        self.weir("registry", "set-offset", source, 0, code=5)
        self.weir("registry", "forget", source, code=5)
        agent.stop()
        self.write(10, 30)
        refused = self.weir("registry", "set-offset", source, old + 10, code=2)
        self.assertIn(f"the nearest line starts: {old} or {old + len(LINE.format(10))}", refused.stderr)
        behind = old + 10 * len(LINE.format(10))
        self.weir("registry", "set-offset", source[:8], behind)
        loss = self.exported()[1]
        self.assertEqual((loss["begin_offset"], loss["end_offset"], loss["cause"]), (old, behind, "skipped by the operator"))
        agent = self.agent()
        self.drained(self.log)
        lines = self.log.read_text().splitlines()
        self.assertEqual(self.out.read_text().splitlines(), lines[:10] + lines[20:])
        agent.stop()
        # Once forgotten, it is read from the beginning again: this output does not recognise duplicates.
        self.weir("registry", "forget", source)
        self.assertEqual(self.exported(), [])
        self.agent()
        await_fact(lambda: self.out.read_text().splitlines() == lines[:10] + lines[20:] + lines, "all is read again")


if __name__ == "__main__":
    unittest.main()
