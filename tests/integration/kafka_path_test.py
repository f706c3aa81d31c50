"""The whole path: nginx, agent, Kafka, aggregator, MariaDB, page, mail."""

import json
import pathlib
import re
import subprocess
import unittest
import urllib.request

from weir_parts import LOG_FORMAT, PARTS, TOP, WeirTest, await_fact, free_port, part


class Path(WeirTest):
    def configure(self, nginx, brokers, database, extra=""):
        self.agent_metrics, self.pages = free_port(), free_port()
        agent = self.folder / "agent.toml"
        agent.write_text(f"""
[agent]
id = "web1"
state_dir = "{self.folder}/agent-state"
[format.weir]
nginx = '{LOG_FORMAT}'
[[input]]
name = "web"
paths = ["{nginx.log}", "{nginx.log}.1"]
format = "weir"
[output.kafka]
brokers = [{", ".join(f'"{b}"' for b in brokers.split(","))}]
topic = "weir"
acks = "all"
[metrics]
listen = "127.0.0.1:{self.agent_metrics}"
""")
        aggregator = self.folder / "aggregator.toml"
        aggregator.write_text(f"""
[source.kafka]
brokers = [{", ".join(f'"{b}"' for b in brokers.split(","))}]
topics = ["weir"]
[store.mysql]
host = "127.0.0.1"
port = {database["port"]}
user = "{database["user"]}"
password = "{database["password"]}"
database = "{database["database"]}"
[pages]
listen = "127.0.0.1:{self.pages}"
{extra}""")
        return agent, aggregator

    def start(self, name, config):
        return self.program(name, "run", "--config", config)

    def settled(self, aggregator, nginx):
        truth = nginx.truth()
        tables = []  # a failure shows the last one

        def equal():
            tables[:] = [self.report("--config", aggregator)]
            return tables[0] == truth

        try:
            await_fact(equal, "the table equals the log")
        except AssertionError:
            self.assertEqual(tables[0], truth)
        self.assertEqual(self.report("--config", aggregator), truth)

    def test_the_table_the_page_and_the_mail(self):
        nginx, (kafka, brokers), database = self.nginx(), self.kafka(), self.mariadb()
        part("kafka", "topic", kafka, "weir", 2)
        smtp = part("smtp", "start", self.folder / "smtp")
        self.addCleanup(part, "smtp", "stop", self.folder / "smtp")
        agent, aggregator = self.configure(nginx, brokers, database, f"""
[mail]
server = "smtp://127.0.0.1:{smtp["port"]}"
from = "weir@example.org"
to = ["ops@example.org"]
[[rule]]
name = "busy"
metric = "requests_per_second"
above = 0.5
range = "5m"
""")
        nginx.load(400, "a.example")
        nginx.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        check = self.run_once("weir-agent", "check", "--config", agent, "--output")
        self.assertIn("weir", check.stdout)
        self.start("weir-agent", agent)
        self.start("weir-aggregator", aggregator)
        nginx.load(400, "b.example")
        nginx.rotate()
        nginx.load(100, "a.example")
        self.settled(aggregator, nginx)

        requests = sum(r for r, _ in nginx.truth().values())
        sent = sum(b for _, b in nginx.truth().values())
        dump = subprocess.run([PARTS / "chromium", "dump", f"http://127.0.0.1:{self.pages}/"], capture_output=True, text=True, timeout=120, check=True).stdout
        shown = {name: int(value) for name, value in re.findall(r'id="total-(requests|bytes)"[^>]*data-value="(\d+)"', dump)}
        self.assertEqual(shown, {"requests": requests, "bytes": sent}, dump[:3000])
        artefacts = TOP / "build/artefacts"
        artefacts.mkdir(parents=True, exist_ok=True)
        subprocess.run([PARTS / "chromium", "screenshot", f"http://127.0.0.1:{self.pages}/", artefacts / "page.png"], timeout=120, check=True)

        mails = self.folder / "smtp/mails"
        await_fact(lambda: list(mails.glob("*.eml")), "the mail arrived")
        self.assertIn("busy", next(mails.glob("*.eml")).read_text())

        metrics = urllib.request.urlopen(f"http://127.0.0.1:{self.agent_metrics}/metrics", timeout=10).read().decode()
        self.assertRegex(metrics, rf"(?m)^weir_agent_lines_read_total(\{{[^}}]*\}})? {requests}$")
        health = json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.pages}/health", timeout=10))
        self.assertEqual(health["status"], "ok", health)

    def killed(self, brokers_count):
        nginx, (kafka, brokers), database = self.nginx(), self.kafka(brokers_count), self.mariadb()
        part("kafka", "topic", kafka, "weir", 2, *(["min.insync.replicas=2"] if brokers_count == 3 else []))
        agent_config, aggregator_config = self.configure(nginx, brokers, database)
        agent, aggregator = self.start("weir-agent", agent_config), self.start("weir-aggregator", aggregator_config)
        nginx.load(500, "a.example")
        await_fact(lambda: self.report("--config", aggregator_config), "the first rows came")
        for site, kill in (("b.example", "agent"), ("c.example", "aggregator"), ("d.example", "broker")):
            nginx.load(300, site)
            if kill == "agent":
                agent.kill()
                nginx.rotate()
                nginx.load(300, site)
                agent = self.start("weir-agent", agent_config)
            elif kill == "aggregator":
                aggregator.kill()
                nginx.load(300, site)
                aggregator = self.start("weir-aggregator", aggregator_config)
            else:
                part("kafka", "kill", kafka, 1)
                nginx.load(300, site)
                if brokers_count == 1:
                    part("kafka", "restart", kafka, 1)
            nginx.load(200, site)
        self.settled(aggregator_config, nginx)
        self.assertEqual(agent.stop(), 0, agent.output())
        self.assertEqual(aggregator.stop(), 0, aggregator.output())

    def test_each_part_killed_once(self):
        self.killed(1)

    def test_one_of_three_brokers_killed(self):
        self.killed(3)


if __name__ == "__main__":
    unittest.main()
