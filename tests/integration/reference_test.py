"""The reference names exactly the keys that the programs read; the packaged files pass their check."""

import json
import pathlib
import re
import sqlite3
import unittest

from weir_parts import TOP, WeirTest

READS = re.compile(r'(?:\.(?:string|verbatim|boolean|integer|number|optional_number|duration|size|strings|texts|string_map|text|secret)\(|read_(?:choice|duration|size|listen)\(\w+,)\s*"(\w+)"')


def keys_read(*sources):
    keys = set()
    for source in sources:
        keys |= set(READS.findall((TOP / source).read_text()))
    return keys


def keys_told(page):
    return set(re.findall(r"(?m)^\| `(\w+)` \|", (TOP / "docs/reference" / page).read_text()))


class Reference(WeirTest):
    def test_the_agents_page_has_each_key_and_no_other(self):
        read = keys_read("agent/config.cc", "common/kafka_connection.cc", "agent/format_table.cc") | {"include", "escape"}
        self.assertGreater(len(read), 30, read)
        self.assertEqual(keys_told("agent-config.md"), read)

    def test_the_aggregators_page_has_each_key_and_no_other(self):
        channels = [path.relative_to(TOP) for path in TOP.glob("aggregator/warn/*_channel.cc")]
        read = keys_read("aggregator/config.cc", *channels, "common/kafka_connection.cc", "agent/format_table.cc") | {"include", "escape"}
        self.assertGreater(len(read), 40, read)
        self.assertEqual(keys_told("aggregator-config.md"), read)

    def test_the_tables_page_has_each_column(self):
        log, store = self.folder / "a.log", self.folder / "weir.db"
        log.write_text('192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 10 "-" "-"\n')
        self.run_once("weir-aggregator", "local", "--once", "--store", store, "--listen", "127.0.0.1:0", log)
        page = (TOP / "docs/reference/store.md").read_text()
        sections = re.split(r"(?m)^## ", page)[1:]
        with sqlite3.connect(store) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            self.assertEqual({name for s in sections for name in re.findall(r"`(\w+)`", s.split("\n")[0])}, set(tables))
            for table in tables:
                section = next(s for s in sections if f"`{table}`" in s.split("\n")[0])
                columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
                self.assertEqual(columns - set(re.findall(r"`(\w+)`", section)), set(), table)

    def test_the_reports_page_has_each_column(self):
        log, store = self.folder / "a.log", self.folder / "weir.db"
        log.write_text('192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 10 "-" "-"\n')
        self.run_once("weir-aggregator", "local", "--once", "--store", store, log)
        done = self.run_once("weir-aggregator", "report", "traffic", "--store", store, "--step", "1m", "--by", "site,host,status", "--format", "csv")
        page = (TOP / "docs/reference/report.md").read_text()
        told = re.findall(r"`(\w+)`", "\n".join(re.findall(r"(?m)^\| (`\w+`[^|]*) \|", page.split("| column |")[1])))
        self.assertEqual(done.stdout.splitlines()[0].split(","), told)

    def test_the_page_of_log_lines_has_their_options(self):
        page = (TOP / "docs/reference/logging.md").read_text()
        documented = set(re.findall(r"\| `(--log-\w+)`", page))
        self.assertEqual(len(documented), 2)
        for program in ("weir-agent", "weir-aggregator"):
            help_text = self.run_once(program, "run", "--help").stdout
            self.assertEqual(set(re.findall(r"(--log-\w+)", help_text)), documented, program)

    def test_cats_page_has_each_option_and_each_member(self):
        page = (TOP / "docs/reference/cat.md").read_text()
        options = set(re.findall(r"(?m)^  (?:-\w,)?(--\w+)", self.run_once("weir-agent", "cat", "--help").stdout)) - {"--help", "--version"}
        self.assertGreater(len(options), 8)
        self.assertEqual(set(re.findall(r"`(--\w+)", page.split("\n\n| option")[1].split("\n\n")[0])), options)
        messages = [path for path in sorted((TOP / "tests/data/golden/v2").glob("*.batch")) if "refused" not in path.name]
        for option, section in (("--headers", "## `--headers`"), ("--provenance", "## `--provenance`")):
            told = set(re.findall(r"`([\w.]+)`", page.split(section)[1].split("\n## ")[0]))
            for line in self.run_once("weir-agent", "cat", option, *messages).stdout.splitlines():
                members = {name for name in json.loads(line) if option == "--headers" or name.startswith("weir.")} - {"weir.peer.address", "weir.time_ms"}
                self.assertEqual(members - told, set(), line)

    def test_the_packaged_files_pass_their_check(self):
        for name in ("agent", "aggregator"):
            self.run_once(f"weir-{name}", "check", "--config", TOP / f"packaging/conf/{name}.toml")

    def test_what_is_commented_out_in_them_is_right_too(self):
        for name in ("agent", "aggregator"):
            text = (TOP / f"packaging/conf/{name}.toml").read_text()
            text = re.sub(r"(?m)^# (?=\w+ = |\[)", "", text)
            text = re.sub(r"(?m)^\[store\.mysql\](?:\n(?!\[).*)*\n", "", text)
            secret = self.folder / "secret"
            secret.write_text("pass word\n")
            text = re.sub(r'/etc/weir/[\w-]+-password', str(secret), text)
            config = self.folder / f"{name}.toml"
            config.write_text(text)
            self.run_once(f"weir-{name}", "check", "--config", config)

    def test_the_files_that_extending_names_exist(self):
        named = set(re.findall(r"`((?:agent|aggregator|common|docs|proto|tests)/[\w./]+)`", (TOP / "docs/extending.md").read_text()))
        self.assertGreater(len(named), 30)
        self.assertEqual({name for name in named if not (TOP / name).exists()}, set())

    def test_the_readmes_configurations_pass_their_check(self):
        shell = "\n".join(re.findall(r"(?s)```sh\n(.*?)```", (TOP / "README.md").read_text()))
        files = dict(re.findall(r"(?s)cat > (\w+\.toml) <<'END'\n(.*?)END\n", shell))
        self.assertEqual(set(files), {"agent.toml", "aggregator.toml"})
        for name, text in files.items():
            (self.folder / name).write_text(text)
        (self.folder / "nginx.conf").write_text(f"events {{}}\nhttp {{ access_log {self.folder}/access.log combined; }}\n")
        self.assertIn("weir-agent discover > conf.d/nginx.toml", shell)
        (self.folder / "conf.d").mkdir()
        (self.folder / "conf.d/nginx.toml").write_text(self.run_once("weir-agent", "discover", "--nginx-conf", self.folder / "nginx.conf").stdout)
        (self.folder / "access.log").touch()
        self.assertIn("input access: format combined", self.run_once("weir-agent", "check", "--config", self.folder / "agent.toml").stdout)
        self.run_once("weir-aggregator", "check", "--config", self.folder / "aggregator.toml")


if __name__ == "__main__":
    unittest.main()
