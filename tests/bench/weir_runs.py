"""weir's own programs under the benchmark's load."""

import json
import pathlib
import re
import subprocess
import time
import urllib.request

from measure import Measured, run
from weir_parts import BIN, await_fact, free_port

FORMAT = ('$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent "$http_referer" '
          '"$http_user_agent" "$http_x_forwarded_for" $host $request_time $upstream_response_time')


def metric(port, name):
    try:
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    except OSError:
        return -1
    return sum(float(value) for value in re.findall(rf"(?m)^{name}(?:\{{[^}}]*\}})? (\S+)$", text))


class Agent:
    """weir-agent over `paths`, from the beginning or from the end of their content."""

    def __init__(self, folder, brokers, topic, paths, acks="all", start_at="beginning", codec="batch", ship="records"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.config = folder / "agent.toml"
        self.config.write_text(f"""
[agent]
id = "bench"
state_dir = "{folder}/state"
[format.bench]
nginx = '{FORMAT}'
[[input]]
name = "bench"
paths = {json.dumps([str(path) for path in paths])}
format = "bench"
start_at = "{start_at}"
[output.kafka]
brokers = ["{brokers}"]
topic = "{topic}"
acks = "{acks}"
codec = "{codec}"
ship = "{ship}"
[metrics]
listen = "127.0.0.1:{self.port}"
""")
        self.start()

    def start(self):
        self.measured = Measured([BIN / "weir-agent", "run", "--config", self.config], self.folder / "agent.log")

    def shipped(self):
        return metric(self.port, "weir_agent_lines_shipped_total")

    def await_shipped(self, lines, seconds=600):
        await_fact(lambda: self.shipped() == lines, f"the agent shipped {lines} lines", seconds)
        self.shipped_s = time.monotonic() - self.measured.began

    def main_thread_s(self):
        pid = self.measured.process.pid
        return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9

    def stop(self):
        return self.measured.stop()


def settle(folder, brokers, topic, lines, mariadb=None):
    """Lets the aggregator read the topic into a new store, SQLite or MariaDB. Returns what it used, start-up included."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "aggregator.toml"
    store = f'[store.sqlite]\npath = "{folder}/weir.db"'
    where = ["--store", folder / "weir.db"]
    if mariadb:
        store = (f'[store.mysql]\nsocket = "{mariadb["socket"]}"\nuser = "{mariadb["user"]}"\n'
                 f'password = "{mariadb["password"]}"\ndatabase = "{mariadb["database"]}"')
        where = ["--config", config]
    config.write_text(f"""
[source.kafka]
brokers = ["{brokers}"]
topics = ["{topic}"]
group = "{topic}-{time.monotonic_ns()}"
{store}
[pages]
listen = "127.0.0.1:{free_port()}"
""")
    measured = Measured([BIN / "weir-aggregator", "run", "--config", config], folder / "aggregator.log")

    def settled():
        done = subprocess.run([BIN / "weir-aggregator", "report", "traffic", *where, "--step", "all", "--format", "csv"],
                              capture_output=True, text=True)
        return done.returncode == 0 and f",{lines}," in done.stdout.replace("\n", ",")

    await_fact(settled, f"the aggregator settled {lines} records", 600)
    return measured.stop()


def local(folder, log):
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "local.db"
    store.unlink(missing_ok=True)
    return run([BIN / "weir-aggregator", "local", "--once", "--store", store, "--log-format", FORMAT, log],
               folder / "local.log")


def stage_rates(program, log):
    """From path_bench: {stage: bytes of log per CPU-second}."""
    done = subprocess.run([program, "--benchmark_format=json"], env={"WEIR_BENCH_LOG": str(log)}, capture_output=True,
                          text=True, check=True)
    return {b["name"]: b["bytes_per_second"] for b in json.loads(done.stdout)["benchmarks"]}
