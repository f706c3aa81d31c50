"""Windows instead of records: the same log sent as records, as windows and as both gives the same tables, whatever is killed."""

import pathlib
import sqlite3
import subprocess
import threading
import unittest

from weir_parts import TOP, WeirTest, await_fact, part

FORMAT = ('$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent "$http_referer" '
          '"$http_user_agent" "$http_x_forwarded_for" $host $request_time $upstream_response_time')
COLUMNS = "start_s, site, host, status, requests, bytes_sent, flow_bytes, request_bytes, request_time_ms, upstream_time_ms, latency"
LINES = 40_000


class Windows(WeirTest):
    def make_lines(self):
        text = subprocess.run([TOP / "tests/bench/make_log", str(LINES)], capture_output=True, check=True).stdout
        lines = text.splitlines(keepends=True)
        for n in range(0, LINES, 97):
            lines[n] = b"no line of this format\n" if n % 2 else b"\n"
        return lines

    def agent(self, name, brokers, output, ship=""):
        config = self.folder / f"{name}.toml"
        config.write_text(f"""
[agent]
id = "{name}"
state_dir = "{self.folder}/{name}-state"
[format.all]
nginx = '{FORMAT}'
[[input]]
name = "web"
paths = ["{self.folder}/log/access.log", "{self.folder}/log/access.log.1"]
format = "all"
[output.kafka]
brokers = ["{brokers}"]
{output}
[ship]
flush_interval = "100ms"
windows_interval = "300ms"
heartbeat_interval = "1s"
{ship}
[metrics]
listen = ""
""")
        return config

    def aggregator(self, topic, brokers):
        config = self.folder / f"{topic}.toml"
        config.write_text(f"""
[source.kafka]
brokers = ["{brokers}"]
topics = ["{topic}"]
group = "{topic}"
[store.sqlite]
path = "{self.folder}/{topic}.db"
[pages]
listen = "127.0.0.1:0"
""")
        self.program("weir-aggregator", "run", "--config", config)
        return self.folder / f"{topic}.db"

    def query(self, store, sql):
        try:
            with sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10) as database:
                return database.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []

    def counted(self, store):
        return (self.query(store, "SELECT SUM(line_count), SUM(unparsed), SUM(filtered) FROM source") or [None])[0]

    def test_the_tables_are_those_of_records_whatever_is_killed(self):
        kafka, brokers = self.kafka()
        for topic in ("records", "records-windows", "windows"):
            part("kafka", "topic", kafka, topic, 2)
        both = self.agent("both", brokers, 'topic = "records"\nship = ["records", "windows"]')
        alone = self.agent("alone", brokers, 'topic = "windows"\nship = "windows"', 'windows_batch_max = "64KiB"')
        check = self.run_once("weir-agent", "check", "--config", both, "--output").stdout
        self.assertRegex(check, r"(?m)^topic records: 2 partitions")
        self.assertRegex(check, r"(?m)^topic records-windows: 2 partitions")
        self.assertIn("ships windows", self.run_once("weir-agent", "check", "--config", alone, "--output").stdout)
        stores = {topic: self.aggregator(topic, brokers) for topic in ("records", "records-windows", "windows")}

        (self.folder / "log").mkdir()
        log = self.folder / "log/access.log"
        lines = self.make_lines()
        half = LINES // 2
        agents = {config: self.program("weir-agent", "run", "--config", config) for config in (both, alone)}
        written = 0
        for turn in range(10):
            upto = LINES * (turn + 1) // 10
            with open(log, "ab", buffering=0) as out:
                for at in range(written, upto, 500):
                    out.write(b"".join(lines[at:min(at + 500, upto)]))
                    threading.Event().wait(0.02)
            written = upto
            if written == half:
                log.rename(log.with_suffix(".log.1"))
            for config in (alone, both) if turn % 3 == 0 else (alone,):
                agents[config].kill()
                agents[config] = self.program("weir-agent", "run", "--config", config)
        want = (LINES, sum(line.startswith(b"no line") for line in lines), lines.count(b"\n"))
        for store in stores.values():
            await_fact(lambda: self.counted(store) == want, f"{store.name} has counted {want}: {self.counted(store)}")
        tables = {topic: self.query(store, f"SELECT {COLUMNS} FROM window_traffic ORDER BY 1, 2, 3, 4") for topic, store in stores.items()}
        self.assertGreater(len(tables["records"]), 50)
        # The second file's source may be in the other partition. Its rows are summed where there is no
        # histogram.
        sums = {topic: self.query(store, "SELECT start_s, site, host, status, SUM(requests), SUM(bytes_sent), SUM(flow_bytes), SUM(request_bytes), "
                                         "SUM(request_time_ms), SUM(upstream_time_ms) FROM window_traffic GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4")
                for topic, store in stores.items()}
        self.assertEqual(sums["records-windows"], sums["records"])
        self.assertEqual(sums["windows"], sums["records"])
        self.assertEqual(tables["records-windows"], tables["records"], "one agent: the same partitions, and the same histograms")
        for topic, store in stores.items():
            self.assertEqual(self.query(store, "SELECT * FROM source_gap"), [], topic)
            self.assertEqual(self.query(store, "SELECT SUM(dead_letters) FROM partition_state"), [(want[1],)], topic)
        for agent in agents.values():
            self.assertEqual(agent.stop(), 0, agent.output())

    def test_windows_of_another_length_are_refused_and_come_as_records(self):
        kafka, brokers = self.kafka()
        part("kafka", "topic", kafka, "windows", 1)
        store = self.aggregator("windows", brokers)
        (self.folder / "log").mkdir()
        lines = self.make_lines()[:500]
        (self.folder / "log/access.log").write_bytes(b"".join(lines))
        wrong = self.agent("web", brokers, 'topic = "windows"\nship = "windows"', 'window = "5m"')
        agent = self.program("weir-agent", "run", "--config", wrong)
        size = sum(map(len, lines))
        await_fact(lambda: self.query(store, "SELECT begin_offset, end_offset, cause FROM source_gap") == [(0, size, 65)], "the gap is there")
        reason = self.query(store, "SELECT reason FROM dead_letter")[0][0]
        self.assertIn('set [ship] window = "60s" of agent web', reason.decode() if isinstance(reason, bytes) else reason)
        self.assertEqual(agent.stop(), 0)
        audit = self.run_once("weir-aggregator", "audit", "--store", store, code=10)
        self.assertIn("windows that could not be added", audit.stdout)
        # As the guarantees say: resend it once as records.
        right = self.agent("web", brokers, 'topic = "windows"\nship = "records"')
        source = self.query(store, "SELECT id FROM source")[0][0]
        source = source.decode() if isinstance(source, bytes) else source
        self.run_once("weir-agent", "registry", "set-offset", "--config", right, source, "0")
        self.program("weir-agent", "run", "--config", right)
        await_fact(lambda: self.query(store, "SELECT COUNT(*) FROM source_gap") == [(0,)], "the gap has closed")
        await_fact(lambda: self.query(store, "SELECT SUM(line_count) FROM source") == [(500,)], "each line is counted")


if __name__ == "__main__":
    unittest.main()
