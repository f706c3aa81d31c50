"""Resources that are unavailable, full or forbidden while the programs run: this is reported, and after the repair nothing
is missing."""

import json
import os
import shutil
import subprocess
import unittest
import urllib.request

from weir_parts import BIN, Program, WeirTest, await_fact, free_port, part

LINE = '192.0.2.1 - - [24/Nov/2026:10:00:{:02d} +0000] "GET /{} HTTP/1.1" 200 10 "-" "-"\n'


def lines(first, end):
    return "".join(LINE.format(n % 60, n) for n in range(first, end))


class Faults(WeirTest):
    def configure(self, output, extra=""):
        self.metrics = free_port()
        config = self.folder / "agent.toml"
        config.write_text(f"""
[agent]
id = "web1"
state_dir = "{self.folder}/state"
[[input]]
name = "web"
paths = ["{self.folder}/access.log*"]
{output}
[ship]
flush_interval = "50ms"
{extra}
[metrics]
listen = "127.0.0.1:{self.metrics}"
""")
        return config

    def aggregator(self, brokers, store):
        config = self.folder / "aggregator.toml"
        self.pages = free_port()
        config.write_text(f"""
[source.kafka]
brokers = ["{brokers}"]
topics = ["weir"]
{store}
[pages]
listen = "127.0.0.1:{self.pages}"
""")
        return config

    def kafka_output(self, brokers):
        return f'[output.kafka]\nbrokers = ["{brokers}"]\ntopic = "weir"'

    def health(self, port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as degraded:
            return json.load(degraded)
        except OSError:
            return {}

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.split(" ")[0].split("{")[0] == name:
                    return float(line.rsplit(" ", 1)[1])
        return None

    def sqlite(self):
        return f'[store.sqlite]\npath = "{self.folder}/weir.db"'

    def counted(self, config, requests):
        await_fact(lambda: sum((self.report("--config", config) or {}).values(), ()) == (requests, 10 * requests),
                   f"{requests} requests in the table")

    def report(self, *store):
        rows = super().report(*store, by="status")
        return {} if rows is None else {key: value for key, value in rows.items() if value[0]}

    def test_a_topic_that_is_missing_then_a_broker_that_is_away(self):
        kafka, brokers = self.kafka()
        log = self.folder / "access.log"
        log.write_text(lines(0, 1000))
        config = self.configure(self.kafka_output(brokers), 'batch_max_bytes = "16KiB"\nmax_in_flight = "64KiB"')
        done = self.run_once("weir-agent", "check", "--output", "--config", config, code=9)
        self.assertIn("weir", done.stdout + done.stderr)
        agent = self.program("weir-agent", "run", "--config", config)
        said = await_fact(lambda: self.health(self.metrics).get("status") == "degraded" and self.health(self.metrics),
                          "the missing topic is a state of the agent")
        self.assertIn("weir", json.dumps(said))
        part("kafka", "topic", kafka, "weir", 2)
        aggregator = self.aggregator(brokers, self.sqlite())
        self.program("weir-aggregator", "run", "--config", aggregator)
        self.counted(aggregator, 1000)
        await_fact(lambda: self.health(self.metrics).get("status") == "ok", "the agent is well again")

        part("kafka", "kill", kafka, 1)
        with open(log, "a") as more:
            more.write(lines(1000, 11_000))
        await_fact(lambda: self.health(self.metrics).get("status") == "degraded", "the broker that is away is said")
        await_fact(lambda: self.metric("weir_agent_in_flight_bytes") >= 64 << 10, "it reads up to max_in_flight")
        self.assertLess(self.metric("weir_agent_in_flight_bytes"), 128 << 10)
        log.unlink()  # rotated away and deleted while the agent has it open
        log.write_text(lines(11_000, 11_100))
        part("kafka", "restart", kafka, 1)
        self.counted(aggregator, 11_100)
        self.assertEqual(agent.stop(), 0, agent.output())

    def test_a_database_that_refuses_and_one_that_is_away(self):
        kafka, brokers = self.kafka()
        part("kafka", "topic", kafka, "weir", 2)
        database = self.mariadb()

        def store(password):
            return f"""[store.mysql]
host = "127.0.0.1"
port = {database["port"]}
user = "{database["user"]}"
password = "{password}"
database = "{database["database"]}"
"""
        wrong = self.aggregator(brokers, store("hunter2"))
        for arguments in (("check", "--store"), ("run",)):
            done = self.run_once("weir-aggregator", *arguments, "--config", wrong, code=7)
            self.assertIn("weir", done.stderr)
            self.assertIn("password", done.stderr)
            self.assertNotIn("hunter2", done.stderr)
        config = self.aggregator(brokers, store(database["password"]))
        log = self.folder / "access.log"
        log.write_text(lines(0, 500))
        self.program("weir-agent", "run", "--config", self.configure(self.kafka_output(brokers)))
        aggregator = self.program("weir-aggregator", "run", "--config", config)
        self.counted(config, 500)
        part("mariadb", "kill", self.folder / "mariadb")
        with open(log, "a") as more:
            more.write(lines(500, 5000))
        await_fact(lambda: self.health(self.pages).get("status") not in (None, "ok"), "the store that is away is said")
        part("mariadb", "restart", self.folder / "mariadb")
        self.counted(config, 5000)
        await_fact(lambda: self.health(self.pages).get("status") == "ok", "the aggregator is well again")
        self.assertEqual(aggregator.stop(), 0, aggregator.output())

    def test_a_log_that_may_not_be_read_until_it_may(self):
        log = self.folder / "access.log"
        log.write_text(lines(0, 3))
        log.chmod(0)
        out = self.folder / "out.json"
        config = self.configure(f'[output.file]\npath = "{out}"', '[tail]\nscan_interval = "1s"')
        command = [BIN / "weir-agent", "run", "--config", config]
        if os.getuid() == 0:  # drops root's right to read everything
            command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
            self.assertTrue(shutil.which("setpriv"))
        agent = Program.__new__(Program)
        agent.log = self.folder / "agent.log"
        with open(agent.log, "wb") as said:
            agent.process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        self.programs.append(agent)
        said = await_fact(lambda: self.health(self.metrics).get("status") == "degraded" and self.health(self.metrics), "it is said")
        self.assertIn(str(log), json.dumps(said))
        self.assertIn("ermission denied", json.dumps(said))
        log.chmod(0o600)
        await_fact(lambda: out.exists() and out.read_text().count("\n") == 3, "once it may be read it is")
        await_fact(lambda: self.health(self.metrics).get("status") == "ok", "and all is well")
        self.assertEqual(agent.stop(), 0, agent.output())

    def test_an_output_on_a_full_disk(self):
        log = self.folder / "access.log"
        log.write_text(lines(0, 3))
        agent = self.program("weir-agent", "run", "--config", self.configure('[output.file]\npath = "/dev/full"', 'shutdown_timeout = "100ms"'))
        said = await_fact(lambda: self.health(self.metrics).get("status") == "degraded" and self.health(self.metrics), "it is said")
        self.assertIn("/dev/full", json.dumps(said))
        self.assertIn("o space left", json.dumps(said))
        self.assertEqual(self.metric("weir_agent_lines_shipped_total"), 0)
        agent.stop()
        out = self.folder / "out.json"
        config = self.configure(f'[output.file]\npath = "{out}"')
        agent = self.program("weir-agent", "run", "--config", config)
        await_fact(lambda: out.exists() and out.read_text().count("\n") == 3, "nothing was lost")
        self.assertEqual(agent.stop(), 0, agent.output())


if __name__ == "__main__":
    unittest.main()
