"""The response to bad input: one clear sentence, its exit code (docs/reference/errors.md), and nothing lost."""

import json
import os
import socket
import sqlite3
import unittest
import urllib.error
import urllib.request

from weir_parts import WeirTest, await_fact, free_port

LINE = '192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] "GET /{} HTTP/1.1" 200 10 "-" "-"\n'


class Errors(WeirTest):
    def agent_config(self, extra="", listen=""):
        config = self.folder / "agent.toml"
        config.write_text(f"""
[agent]
id = "web1"
state_dir = "{self.folder}/state"
[[input]]
name = "web"
paths = ["{self.folder}/a.log"]
{extra}
[output.file]
path = "{self.folder}/out.json"
[metrics]
listen = "{listen}"
""")
        return config

    def test_a_check_of_a_store_that_cannot_be_opened_does_not_say_no_mistakes(self):
        config = self.folder / "aggregator.toml"
        config.write_text(f'''[source.kafka]
brokers = ["127.0.0.1:1"]
topics = ["t"]
[store.mysql]
port = {free_port()}
''')
        self.says("weir-aggregator", "check", "--config", config, code=0, what="no mistakes")
        done = self.says("weir-aggregator", "check", "--config", config, "--store", code=7, what="store")
        self.assertNotIn("no mistakes", done.stdout)

    def says(self, program, *arguments, code, **sentences):
        done = self.run_once(program, *arguments, code=code)
        for sentence in sentences.values():
            self.assertIn(str(sentence), done.stderr + done.stdout)
        self.assertNotIn("terminate called", done.stderr)
        return done

    def test_every_mistake_of_a_configuration_at_once_with_line_and_nearest_key(self):
        config = self.agent_config('fromat = "combined"\nmax_line = "1Mb"')
        for command in ("check", "run"):
            self.says("weir-agent", command, "--config", config, code=4, key='fromat: unknown key; did you mean "format"?',
                      value='max_line: "1Mb" is not a size', where="agent.toml:8")

    def test_files_that_are_not_there(self):
        none = self.folder / "none"
        self.says("weir-agent", "check", "--config", none, code=4, what=none)
        self.says("weir-agent", "parse", none, code=3, what=none)
        self.says("weir-agent", "status", "--state-dir", none, code=3, what=none)
        self.says("weir-aggregator", "report", "traffic", "--store", none, code=7, what=none)
        self.says("weir-aggregator", "local", "--once", "--store", self.folder / "weir.db", self.folder, code=3, what="not a file")

    def test_wrong_arguments(self):
        for program in ("weir-agent", "weir-aggregator"):
            self.says(program, "frobnicate", code=2, what="frobnicate", todo="--help")
            self.says(program, code=2, todo="Usage")
        self.says("weir-aggregator", "report", "trafic", code=2, what="trafic", todo="--help")

    def test_a_log_that_is_binary(self):
        log = self.folder / "binary.log"
        log.write_bytes(os.urandom(100_000))
        self.says("weir-aggregator", "local", "--once", "--store", self.folder / "weir.db", log, code=3, what=log, todo="--format")
        self.says("weir-aggregator", "local", "--once", "--store", self.folder / "weir.db", "--format", "combined",
                  "--listen", "127.0.0.1:0", log, code=0)

    def test_a_port_in_use(self):
        log = self.folder / "a.log"
        log.write_text(LINE.format(1))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.says("weir-aggregator", "local", "--store", self.folder / "weir.db", "--listen", address, log, code=6, what=address)
            self.says("weir-agent", "run", "--config", self.agent_config(listen=address), code=6, what=address)

    def test_a_store_of_a_newer_weir(self):
        log, store = self.folder / "a.log", self.folder / "weir.db"
        log.write_text(LINE.format(1))
        self.run_once("weir-aggregator", "local", "--once", "--store", store, "--listen", "127.0.0.1:0", log)
        with sqlite3.connect(store) as database:
            self.assertGreater(database.execute("UPDATE meta SET value = 999").rowcount, 0)
        self.says("weir-aggregator", "local", "--once", "--store", store, log, code=8, what="999")
        self.says("weir-aggregator", "report", "traffic", "--store", store, code=8, what="999")
        with sqlite3.connect(store) as database:
            database.execute("UPDATE meta SET value = 1")
        self.says("weir-aggregator", "report", "traffic", "--store", store, code=7, what="schema version 1 is older")
        empty = self.folder / "empty.db"
        empty.touch()
        self.says("weir-aggregator", "report", "traffic", "--store", empty, code=7, what="no tables of weir")

    def test_a_second_agent_on_the_state_dir_and_a_reload_with_a_mistake(self):
        log, port = self.folder / "a.log", free_port()
        log.write_text(LINE.format(1))
        config = self.agent_config(listen=f"127.0.0.1:{port}")
        agent = self.program("weir-agent", "run", "--config", config)
        out = self.folder / "out.json"
        await_fact(lambda: out.exists() and out.read_text().count("\n") == 1, "the line came")
        self.says("weir-agent", "run", "--config", config, code=5, what="another weir-agent", who=agent.process.pid)
        good = config.read_text()
        config.write_text(good + "[ship]\nnonsense = 1\n")
        agent.process.send_signal(1)
        await_fact(lambda: "nonsense" in agent.output(), "the mistake is said")
        with open(log, "a") as more:
            more.write(LINE.format(2))
        await_fact(lambda: out.read_text().count("\n") == 2, "the old configuration goes on")
        self.assertEqual(agent.stop(), 0, agent.output())

    def test_a_log_that_is_missing_until_it_comes(self):
        port, log = free_port(), self.folder / "a.log"
        config = self.agent_config(listen=f"127.0.0.1:{port}")

        def health():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as degraded:
                return json.load(degraded)
            except OSError:
                return None

        self.says("weir-agent", "check", "--config", config, code=0, what=f"no file is at {log}")
        agent = self.program("weir-agent", "run", "--config", config)
        said = await_fact(health, "the agent answers")
        self.assertEqual(said["status"], "degraded")
        self.assertIn(f"input web: no file is at {log}; correct its paths", said["problems"][0])
        self.assertIn(str(log), agent.output())
        self.says("weir-agent", "status", "--config", config, code=0, what=f"no file is at {log}")
        log.write_text(LINE.format(1))
        out = self.folder / "out.json"
        await_fact(lambda: out.exists() and out.read_text().count("\n") == 1, "it is followed once it is there")
        await_fact(lambda: health()["status"] == "ok", "and all is well")
        self.assertEqual(agent.stop(), 0, agent.output())

    def test_a_broker_that_refuses(self):
        config = self.agent_config()
        config.write_text(config.read_text().replace(f'[output.file]\npath = "{self.folder}/out.json"',
                                                     f'[output.kafka]\nbrokers = ["127.0.0.1:{free_port()}"]\ntopic = "weir"'))
        self.says("weir-agent", "check", "--output", "--config", config, code=9, what="no broker", why="Connection refused",
                  todo="check the addresses")
        config.write_text(config.read_text().replace("127.0.0.1:", "no.such.host.invalid:"))
        self.says("weir-agent", "check", "--output", "--config", config, code=9, why="Failed to resolve 'no.such.host.invalid:")


if __name__ == "__main__":
    unittest.main()
