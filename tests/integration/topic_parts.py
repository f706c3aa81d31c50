"""A topic, its agent, aggregators and tables, many of them sharing one Kafka and one MariaDB; and logs whose truth is known."""

import collections
import contextlib
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request

from kafka_client import Consumer, Producer
from weir_parts import LOG_FORMAT, PARTS, WeirTest, await_fact, free_port, part

STATUS = (200, 200, 200, 206, 301, 404, 500, 503)


class Logs:
    """Logs that grow, and the truth about them. The bytes of each line differ, so that a lost and a doubled line do not cancel
    out."""

    def __init__(self, folder, names):
        folder.mkdir()
        self.folder, self.written, self.numbers = folder, 0, random.Random(4)
        self.files = {folder / f"{name}.log": f"{name}.example" for name in names}
        self.truth = collections.defaultdict(lambda: (0, 0))

    def line(self, site):
        self.written += 1
        status, size = self.numbers.choice(STATUS), self.numbers.randrange(1 << 30)
        requests, sent = self.truth[(site, str(status))]
        self.truth[(site, str(status))] = (requests + 1, sent + size)
        return (f'192.0.2.{self.written % 250} - - [24/Nov/2026:10:{self.written // 60 % 60:02d}:{self.written % 60:02d} +0000] '
                f'"GET /?id={self.written} HTTP/1.1" {status} {size} "-" "test" "-" {site} 0.012\n')

    def write(self, lines, names=None):
        """Writes `lines` more, spread over the files (or those named)."""
        files = [(f, s) for f, s in self.files.items() if names is None or f.stem in names]
        for i, (file, site) in enumerate(files):
            with open(file, "a") as log:
                log.writelines(self.line(site) for _ in range(len(range(i, lines, len(files)))))

    @contextlib.contextmanager
    def flowing(self, lines=80):
        """Writes some thousand lines a second from a thread of its own."""
        end = threading.Event()

        def flow():
            while not end.wait(0.02):
                self.write(lines)

        writer = threading.Thread(target=flow)
        writer.start()
        try:
            yield
        finally:
            end.set()
            writer.join()


class Case:
    def __init__(self, test, name, partitions=1, files=4, topic_config=()):
        self.test, self.name, self.partitions = test, name, partitions
        self.folder = test.folder
        self.logs = Logs(self.folder / "logs", [f"{name}-{i}" for i in range(files)])
        self.ports, self.agent_port = {}, free_port()
        part("kafka", "topic", test.kafka_folder, name, partitions, *topic_config)
        self.sql(f"CREATE DATABASE `{name}`; GRANT ALL ON `{name}`.* TO weir@'%'; GRANT ALL ON `{name}`.* TO weir@localhost", "")

    def tool(self, tool, *arguments):
        done = subprocess.run([PARTS / "kafka", "tool", self.test.kafka_folder, f"org.apache.kafka.tools.{tool}", *arguments],
                              capture_output=True, text=True, timeout=300, check=False)
        self.test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def described(self):
        """[(leader, replicas in sync)] of the topic's partitions."""
        with Producer(self.test.brokers) as client:
            return client.described(self.name) or []

    def sql(self, statement, database=None):
        command = ["mariadb", "--no-defaults", f"--socket={self.test.database['socket']}", "-u", "root", "-N", "-B", "-e", statement]
        done = subprocess.run(command + [self.name if database is None else database] * (database != ""), capture_output=True, text=True,
                              timeout=60, check=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def agent(self, acks='"all"', librdkafka="", brokers=None):
        config = self.folder / "agent.toml"
        config.write_text(f"""
[agent]
id = "{self.name}"
state_dir = "{self.folder}/agent"
[format.weir]
nginx = '{LOG_FORMAT}'
[[input]]
name = "web"
paths = ["{self.logs.folder}/*.log"]
format = "weir"
[output.kafka]
brokers = [{", ".join(f'"{b}"' for b in (brokers or self.test.brokers).split(","))}]
topic = "{self.name}"
acks = {acks}
[output.kafka.librdkafka]
"reconnect.backoff.max.ms" = "500"
{librdkafka}
[ship]
flush_interval = "50ms"
batch_max_bytes = "16KiB"
heartbeat_interval = "1s"
[tail]
scan_interval = "1s"
[metrics]
listen = "127.0.0.1:{self.agent_port}"
""")
        return self.test.program("weir-agent", "run", "--config", config)

    def config(self, strategy="cooperative-sticky", group=None, commit_interval="200ms", sqlite=None, database_port=None):
        port = free_port()
        config = self.folder / f"aggregator-{port}.toml"
        database = self.test.database
        store = f'[store.sqlite]\npath = "{sqlite}"' if sqlite else f"""[store.mysql]
host = "127.0.0.1"
port = {database_port or database["port"]}
user = "{database["user"]}"
password = "{database["password"]}"
database = "{self.name}"
"""
        config.write_text(f"""
[source.kafka]
brokers = [{", ".join(f'"{b}"' for b in self.test.brokers.split(","))}]
topics = ["{self.name}"]
group = "{group or self.name}"
[source.kafka.librdkafka]
"partition.assignment.strategy" = "{strategy}"
"session.timeout.ms" = "6000"
"heartbeat.interval.ms" = "500"
"topic.metadata.refresh.interval.ms" = "1000"
{store}
[settle]
commit_interval = "{commit_interval}"
[pages]
listen = "127.0.0.1:{port}"
""")
        return config, port

    def aggregator(self, **keywords):
        config, port = self.config(**keywords)
        program = self.test.program("weir-aggregator", "run", "--config", config)
        self.ports[program] = port
        return program

    @staticmethod
    def read_metric(port, name):
        """The sum over all labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            values = [float(line.rsplit(" ", 1)[1]) for line in answer.read().decode().splitlines() if line.split("{")[0].split(" ")[0] == name]
        if not values:
            raise KeyError(name)
        return sum(values)

    def metric(self, program, name):
        return self.read_metric(self.ports[program], f"weir_aggregator_{name}")

    def agent_metric(self, name):
        return self.read_metric(self.agent_port, f"weir_agent_{name}")

    def hold_before_commit(self, program, network):
        """Holds back the beginning of a commit, so that the store knows nothing of it. `network`'s marker is a text that only a
        commit sends."""

        def held():
            # By then it knows the sources of its partitions, so its next request is a commit.
            enough = self.metric(program, "commits_total") + 5
            await_fact(lambda: self.metric(program, "commits_total") >= enough, "it commits")
            network.hold()
            # The settler's connection, not one of those that monitor the store.
            await_fact(lambda: any(settler for _, settler in network.waits), "it asks the store")
            # Held in its middle, it would keep its rows locked.
            if not self.open_transactions() & self.open_transactions():
                return True
            network.open()
            return False

        await_fact(held, "a commit's first statement is held")

    def asleep_within_commit(self, program, network):
        """Stops it in the middle of a commit, whose rows stay locked in the store."""
        command = ["mariadb", "--no-defaults", f"--socket={self.test.database['socket']}", "-u", "root", "-N", "-B", "--unbuffered", self.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as locker:
            locker.stdin.write("START TRANSACTION; SELECT COUNT(*) FROM window_traffic FOR UPDATE;\n")
            locker.stdin.flush()
            self.test.assertGreater(int(locker.stdout.readline()), 0)
            # Not innodb_trx: asked more often than every 100 ms, it repeats its last answer.
            waits = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
            await_fact(lambda: int(self.sql(waits)[0][1]) > 0, "a commit waits for the rows")
            network.hold()
            program.process.send_signal(signal.SIGSTOP)
            locker.stdin.close()  # this rolls back

    def open_transactions(self):
        return {(thread, started) for thread, started in self.sql("SELECT trx_mysql_thread_id, trx_started FROM information_schema.innodb_trx")}

    def owners(self):
        """{partition: process id of its owner}"""
        if not self.sql("SHOW TABLES LIKE 'partition_state'"):
            return {}
        return {int(p): int(owner.rsplit(":", 1)[1]) for p, owner in self.sql("SELECT partition_id, owner FROM partition_state")}

    def table(self):
        if not self.sql("SHOW TABLES LIKE 'window_traffic'"):
            return {}
        rows = self.sql("SELECT site, status, SUM(requests), SUM(bytes_sent) FROM window_traffic GROUP BY site, status")
        return {(site, status): (int(requests), int(sent)) for site, status, requests, sent in rows}

    def gaps(self):
        """[(path, begin, end, cause, since_ms)]"""
        rows = self.sql("SELECT path, begin_offset, end_offset, cause, since_ms FROM source_gap JOIN source ON source.id = source_gap.source_id")
        return [(pathlib.Path(path), *map(int, numbers)) for path, *numbers in rows]

    def lines_in_gaps(self):
        return sum(path.read_bytes()[begin:end].count(b"\n") for path, begin, end, _, _ in self.gaps())

    def counted(self):
        return sum(requests for requests, _ in self.table().values())

    def offsets(self):
        return {int(p): int(at) for p, at in self.sql("SELECT partition_id, next_offset FROM partition_state")}

    def settled(self, seconds=120):
        """Waits until the table equals the logs, and checks that it stays equal."""
        try:
            await_fact(lambda: self.counted() >= self.logs.written, f"{self.logs.written} requests in the table", seconds)
        except AssertionError:
            self.test.assertEqual(self.table(), dict(self.logs.truth), f"gaps: {self.gaps()}")
        self.committed()
        self.test.assertEqual(self.table(), dict(self.logs.truth))
        self.test.assertEqual(self.sql("SELECT SUM(line_count), SUM(unparsed) FROM source"), [[str(self.logs.written), "0"]])

    def whole(self):
        self.test.assertEqual(self.gaps(), [])
        self.test.assertEqual(self.sql("SELECT * FROM dead_letter"), [])

    def committed(self):
        """Waits until everything now in the topic was read."""
        with Consumer(self.test.brokers) as topic:
            ends = {p: topic.end(self.name, p)[1] for p in range(self.partitions)}
        await_fact(lambda: all(self.offsets().get(p, -1) >= end for p, end in ends.items() if end > 0), f"offsets {ends} in the store")

    def accounted(self):
        """Checks that each line is counted once, or that its bytes are in a gap."""
        await_fact(lambda: self.counted() + self.lines_in_gaps() >= self.logs.written, "each line is counted or in a gap", 180)
        self.committed()
        self.test.assertEqual(self.counted() + self.lines_in_gaps(), self.logs.written, self.gaps())

    def ended(self, *programs):
        for program in programs:
            self.test.assertEqual(program.stop(), 0, program.output())


class SharedKafka(WeirTest):
    """Starts a Kafka that lives as long as the class."""

    brokers_count = 1

    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="weir-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.kafka_folder = cls.shared / "kafka"
        cls.addClassCleanup(part, "kafka", "stop", cls.kafka_folder)
        cls.brokers = part("kafka", "start", cls.kafka_folder, cls.brokers_count)["brokers"]


class Shared(SharedKafka):
    """Also starts a MariaDB."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(part, "mariadb", "stop", cls.shared / "mariadb")
        cls.database = part("mariadb", "start", cls.shared / "mariadb")
