"""The rows of docs/benchmarks.md, one section each: runs weir and its peers in turn, round by round, and states
the target figures."""

import bisect
import collections
import itertools
import pathlib
import random
import shutil
import sqlite3
import subprocess
import threading
import time

import peers
import weir_runs
from measure import Table, number, quantile, run
from weir_parts import TOP, await_fact, part

LINE = ('10.0.0.2 - - [21/Sep/2026:14:13:20 +0000] "GET /line/{} HTTP/1.1" 200 69936 "-" "Mozilla/5.0" "73.255.201.151" '
        "site3.example 0.015 0.014\n")


class Bench:
    """What the sections share: the log, the broker, the number of rounds."""

    def __init__(self, folder, log, lines, rounds, programs):
        self.folder, self.log, self.lines, self.rounds, self.programs = folder, log, lines, rounds, programs
        self.size = log.stat().st_size
        self.missing = " ".join(peers.missing())
        self.brokers = None
        self.count = 0

    def has(self, peer):
        return peer not in self.missing

    def topic(self):
        self.count += 1
        name = f"bench{self.count}"
        part("kafka", "topic", self.folder / "kafka", name, 2)
        return name

    def topic_bytes(self, topic):
        return sum(file.stat().st_size for file in (self.folder / "kafka").glob(f"*/data/{topic}-*/*.log"))

    def copies(self, count):
        """That many logs of the same minutes, as if from different hosts. Each has a different first line, because a copy of a log is not a new one."""
        folder = self.folder / f"copies-{count}"
        if not folder.exists():
            folder.mkdir()
            for i in range(count):
                with open(folder / f"host{i}.log", "wb") as out, open(self.log, "rb") as log:
                    out.write(LINE.format(f"first-of-{i}").encode())
                    shutil.copyfileobj(log, out, 1 << 20)
        return folder / "*.log", count * (self.lines + 1)

    def new_folder(self, name):
        self.count += 1
        folder = self.folder / f"{name}{self.count}"
        folder.mkdir()
        return folder


def ratios(of, to):
    return [a / b for a, b in zip(of, to)]


def ship(bench):
    """From a file to acknowledged in Kafka: CPU of the shipper, bytes in the topic."""
    rates, sizes, rss = (collections.defaultdict(list) for _ in range(3))

    def note(name, topic, used):
        rates[name].append(bench.lines / used.cpu_s)
        sizes[name].append(bench.topic_bytes(topic) / bench.lines)
        rss[name].append(used.rss_mb)

    for _ in range(bench.rounds):
        topic = bench.topic()
        it = weir_runs.Agent(bench.new_folder("agent"), bench.brokers, topic, [bench.log])
        it.await_shipped(bench.lines)
        note("weir", topic, it.stop())
        if bench.has("kcat"):
            for name, idempotent in (("kcat", False), ("kcat, idempotent", True)):
                topic = bench.topic()
                note(name, topic, peers.kcat(bench.folder, bench.brokers, topic, bench.log, idempotent))
        if bench.has("kcat") and bench.has("rsyslog"):
            for name, parsed in (("rsyslog raw", False), ("rsyslog parsed", True)):
                topic = bench.topic()
                note(name, topic, peers.rsyslog(bench.folder, bench.brokers, topic, bench.log, bench.lines, parsed))
        if bench.has("kcat") and bench.has("syslog-ng"):
            topic = bench.topic()
            note("syslog-ng raw", topic, peers.syslog_ng(bench.folder, bench.brokers, topic, bench.log, bench.lines))
    table = Table()
    table.add("weir-agent, parsed columns, acks=all", rates["weir"], "lines/CPU-s", 1_200_000)
    for name in ("kcat", "kcat, idempotent", "rsyslog raw", "rsyslog parsed", "syslog-ng raw"):
        if rates[name]:
            table.add(name, rates[name], "lines/CPU-s")
    if rates["kcat"]:
        table.add("weir to kcat -P -z zstd of raw lines", ratios(rates["weir"], rates["kcat"]), "times", 3)
    if rates["rsyslog raw"]:
        table.add("weir to rsyslog raw", ratios(rates["weir"], rates["rsyslog raw"]), "times")
        table.add("weir to rsyslog parsed", ratios(rates["weir"], rates["rsyslog parsed"]), "times", 25)
    if rates["syslog-ng raw"]:
        table.add("weir to syslog-ng raw", ratios(rates["weir"], rates["syslog-ng raw"]), "times")
    table.add("weir, bytes in the topic", sizes["weir"], "bytes/line")
    for name in ("kcat", "kcat, idempotent", "rsyslog raw", "rsyslog parsed", "syslog-ng raw"):
        if sizes[name]:
            table.add(f"{name}, bytes in the topic", sizes[name], "bytes/line")
    if sizes["kcat"]:
        table.add("weir to kcat, bytes", ratios(sizes["weir"], sizes["kcat"]), "times", 0.5, at_most=True)
        table.add("weir to kcat, idempotent, bytes", ratios(sizes["weir"], sizes["kcat, idempotent"]), "times")
    raw = [zstd_blocks(bench) / bench.lines]
    table.add("raw 1 MiB blocks under zstd -3", raw, "bytes/line")
    table.add("weir to zstd -3, bytes", [size / raw[0] for size in sizes["weir"]], "times", 0.65, at_most=True)
    table.add("weir, peak RSS", rss["weir"], "MB", 32, at_most=True)
    for name in ("rsyslog raw", "rsyslog parsed"):
        if rss[name]:
            table.add(f"{name}, peak RSS", rss[name], "MB")
    return table


def acks(bench, copies=10):
    """The cost of acks=all compared with acks=0. Ten logs, so that the start matters little."""
    logs, lines = bench.copies(copies)
    walls, rates, rss = (collections.defaultdict(list) for _ in range(3))
    for round_ in range(-1, bench.rounds):
        for wanted in ("all", "0"):
            it = weir_runs.Agent(bench.new_folder("agent"), bench.brokers, bench.topic(), [logs], acks=wanted)
            it.await_shipped(lines)
            if round_ < 0:  # a fresh broker still compiles its own code, which is not a cost of acks
                it.stop()
                continue
            walls[wanted].append(lines / it.shipped_s)
            used = it.stop()
            rates[wanted].append(lines / used.cpu_s)
            rss[wanted].append(used.rss_mb)
    table = Table()
    table.add(f"acks=all, {lines:,} lines", rates["all"], "lines/CPU-s", 1_200_000)
    table.add("the same", walls["all"], "lines/s of wall time")
    table.add("acks=all to acks=0, lines by wall time", ratios(walls["all"], walls["0"]), "times", 0.95)
    table.add("acks=all to acks=0, lines by CPU", ratios(rates["all"], rates["0"]), "times", 0.95)
    table.add("peak RSS, acks=all", rss["all"], "MB", 32, at_most=True)
    return table


def windows(bench, copies=10):
    """ship = "windows" compared with records. The aggregator's cost per line is the slope between one log and ten."""
    logs, lines = bench.copies(copies)
    one, _ = bench.copies(1)
    more = lines - bench.lines - 1
    rates, wire, slopes = (collections.defaultdict(list) for _ in range(3))
    for _ in range(bench.rounds):
        for ship_ in ("records", "windows"):
            used_s = []
            for paths, count in ((one, bench.lines + 1), (logs, lines)):
                topic = bench.topic()
                it = weir_runs.Agent(bench.new_folder("agent"), bench.brokers, topic, [paths], ship=ship_)
                it.await_shipped(count)
                used = it.stop()
                used_s.append(weir_runs.settle(bench.new_folder("settle"), bench.brokers, topic, count).cpu_s)
            rates[ship_].append(count / used.cpu_s)
            wire[ship_].append(bench.topic_bytes(topic) / (bench.size / bench.lines * lines) * 100)
            slopes[ship_].append((used_s[1] - used_s[0]) / more * 1e9)
    table = Table()
    for ship_ in ("records", "windows"):
        table.add(f"{ship_}: agent", rates[ship_], "lines/CPU-s", *([1_500_000] if ship_ == "windows" else []))
    table.add("records: wire", wire["records"], "% of the log")
    table.add("windows: wire", wire["windows"], "% of the log", 0.5, at_most=True)
    table.add("records: aggregator", slopes["records"], "CPU ns/line")
    table.add("windows: aggregator", slopes["windows"], "CPU ns/line")
    table.add("aggregator, windows to records, a line", ratios(slopes["windows"], slopes["records"]), "times", 0.02, at_most=True)
    return table


def zstd_blocks(bench, most=64):
    """Bytes of all 1 MiB blocks of the log under zstd -3, extrapolated from the first `most` of them."""
    packed = read = 0
    with open(bench.log, "rb") as file:
        while (block := file.read(1 << 20)) and read < most << 20:
            packed += len(subprocess.run(["zstd", "-3", "-q", "-c"], input=block, capture_output=True, check=True).stdout)
            read += len(block)
    return packed * bench.size / read


def parse(bench):
    """Cutting and parsing lines, one core, without reading or writing."""
    stages = collections.defaultdict(list)
    scans = []
    program = bench.programs / "path_bench"
    if not program.exists():
        raise FileNotFoundError(f"{program}: build the bench preset (needs libbenchmark-dev: tests/bench/peers)")
    for _ in range(bench.rounds):
        scans.append(bench.size / run(["wc", "-l", bench.log], bench.folder / "wc.log").cpu_s)
        for name, rate in weir_runs.stage_rates(program, bench.log).items():
            stages[name].append(rate)
    table = Table()

    def add(what, values, *target):
        table.add(what, [value / 1e9 for value in values], "GB of log/CPU-s", *target)

    add("parse", stages["parse_lines"], 1.5)
    add("split by memchr, in 256 KiB blocks", stages["split_lines"])
    add("wc -l, reads included", scans)
    table.add("parse to split", ratios(stages["parse_lines"], stages["split_lines"]), "times", 0.5)
    table.add("parse to wc -l", ratios(stages["parse_lines"], scans), "times")
    add("parse and put into columns", stages["parse_and_build"])
    add("parse, columns, zstd 1", stages["parse_build_encode/1"])
    add("parse, columns, zstd 3", stages["parse_build_encode/3"])
    add("decode all columns", stages["decode"])
    add("decode what windows need, and fold", stages["decode_and_fold"])
    return table


def settle(bench):
    """From a topic to committed windows, one core."""
    rates, rss = collections.defaultdict(list), []
    topic, text = bench.topic(), bench.topic()
    it = weir_runs.Agent(bench.new_folder("agent"), bench.brokers, topic, [bench.log])
    it.await_shipped(bench.lines)
    it.stop()
    few = min(bench.lines, 300_000)
    if bench.has("confluent"):
        head = bench.folder / "head.log"
        with open(head, "wb") as out:
            subprocess.run(["head", "-n", str(few), bench.log], stdout=out, check=True)
        it = weir_runs.Agent(bench.new_folder("agent"), bench.brokers, text, [head], codec="json")
        it.await_shipped(few)
        it.stop()
    mariadb = part("mariadb", "start", bench.folder / "mariadb")
    try:
        for _ in range(bench.rounds):
            used = weir_runs.settle(bench.new_folder("sqlite"), bench.brokers, topic, bench.lines)
            rates["sqlite"].append(bench.lines / used.cpu_s)
            rss.append(used.rss_mb)
            subprocess.run(["mariadb", "--no-defaults", f"--socket={mariadb['socket']}", "-u", "root", "-e",
                            "DROP DATABASE weir; CREATE DATABASE weir"], check=True)
            used = weir_runs.settle(bench.new_folder("mysql"), bench.brokers, topic, bench.lines, mariadb)
            rates["mysql"].append(bench.lines / used.cpu_s)
            if bench.has("confluent"):
                used = peers.python_consumer(bench.folder, bench.brokers, text, few)
                rates["python"].append(few / used.cpu_s)
    finally:
        part("mariadb", "stop", bench.folder / "mariadb")
    table = Table()
    table.add("weir-aggregator into SQLite", rates["sqlite"], "records/CPU-s", 4_000_000)
    table.add("weir-aggregator into MariaDB", rates["mysql"], "records/CPU-s", 4_000_000)
    table.add("weir-aggregator, peak RSS", rss, "MB")
    if rates["python"]:
        table.add("Python, parsed JSON into SQLite", rates["python"], "records/CPU-s")
        table.add("weir to Python", ratios(rates["sqlite"], rates["python"]), "times", 30)
    return table


def single(bench):
    """One box: weir-aggregator local --once."""
    walls, rates, rss, theirs = [], [], [], []
    for _ in range(bench.rounds):
        used = weir_runs.local(bench.folder, bench.log)
        walls.append(bench.lines / used.wall_s)
        rates.append(bench.lines / used.cpu_s)
        rss.append(used.rss_mb)
        if bench.has("goaccess") and not theirs:  # once: it takes longer than everything else
            theirs.append(bench.lines / peers.goaccess(bench.folder, bench.log).cpu_s)
    table = Table()
    table.add("weir-aggregator local --once", walls, "lines/s of wall time", 1_000_000)
    table.add("the same", rates, "lines/CPU-s")
    table.add("peak RSS", rss, "MB", 200, at_most=True)
    if theirs:
        table.add("goaccess to JSON", theirs, "lines/CPU-s")
        table.add("weir to goaccess, by CPU", [rate / theirs[0] for rate in rates], "times", 15)
    return table


def latencies(bench, start, appended=200):
    """Milliseconds from appending a line to its arrival at a consumer, at 20 lines a second. `start` starts a
    program that follows the file."""
    folder, topic = bench.new_folder("latency"), bench.topic()
    (folder / "logs").mkdir()
    log = folder / "logs/access.log"
    log.write_text(LINE.format(0))
    arrived = []
    consumer = subprocess.Popen([peers.python(), peers.LATENCY_CONSUMER, bench.brokers, topic], stdout=subprocess.PIPE, text=True)
    consumer.stdout.readline()

    def listen():
        for line in consumer.stdout:
            at, kind, value = line.split()
            arrived.append((float(at), kind, int(value)))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    program = start(folder, topic, log)
    await_fact(lambda: arrived, "the first line arrived", 60)
    written, end = [], log.stat().st_size
    with open(log, "a", buffering=1) as out:
        for i in range(1, appended + 1):
            line = LINE.format(i)
            end += len(line)
            written.append((time.monotonic(), end, i))
            out.write(line)
            time.sleep(0.05)  # 20 lines a second: the intended load
    await_fact(lambda: any(value >= (end if kind == "bytes" else appended) for _, kind, value in arrived), "the last line arrived", 60)
    program.stop()
    consumer.terminate()
    consumer.wait()
    out = []
    for at, bytes_end, i in written:
        out.append(min((when - at) * 1000 for when, kind, value in arrived if value >= (bytes_end if kind == "bytes" else i)))
    return out


def latency(bench):
    """From an appended line to the consumer."""
    ours, theirs = [], []
    if not bench.has("confluent"):
        return Table()
    for _ in range(bench.rounds):
        ours.append(latencies(bench, lambda folder, topic, log: weir_runs.Agent(folder, bench.brokers, topic, [log])))
        if bench.has("rsyslog"):
            theirs.append(latencies(bench, lambda folder, topic, log: peers.Rsyslog(folder, bench.brokers, topic, [log])))
    table = Table()
    table.add("weir, p50", [quantile(values, 0.5) for values in ours], "ms", 5, at_most=True)
    table.add("weir, p99", [quantile(values, 0.99) for values in ours], "ms", 20, at_most=True)
    if theirs:
        table.add("rsyslog, p50", [quantile(values, 0.5) for values in theirs], "ms")
        table.add("rsyslog, p99", [quantile(values, 0.99) for values in theirs], "ms")
    return table


def quiet_files(bench, count):
    folder = bench.new_folder("files")
    logs = folder / "logs"
    logs.mkdir()
    for i in range(count):
        (logs / f"site{i}.log").write_text(LINE.format(i))
    return folder, logs


def calm(measured):
    """Waits until the work after a start is done: CPU use below a hundredth of a core."""
    last = [time.monotonic(), measured.cpu_s()]

    def is_calm():
        now, used = time.monotonic(), measured.cpu_s()
        if now - last[0] < 0.5:
            return False
        quiet = used - last[1] < 0.01 * (now - last[0])
        last[:] = now, used
        return quiet
    await_fact(is_calm, "it is calm", 60)


def idle_ms(measured, seconds=12):
    began, before = time.monotonic(), measured.cpu_s()
    time.sleep(seconds)  # the measured time
    return (measured.cpu_s() - before) * 1000 / (time.monotonic() - began)


def idle(bench):
    """CPU while nothing is written to 100 files."""
    ours, main, theirs = [], [], []
    for _ in range(bench.rounds):
        folder, logs = quiet_files(bench, 100)
        it = weir_runs.Agent(folder, bench.brokers, bench.topic(), [logs / "*.log"])
        it.await_shipped(100)
        calm(it.measured)
        before, began = it.main_thread_s(), time.monotonic()
        ours.append(idle_ms(it.measured))
        main.append((it.main_thread_s() - before) * 1000 / (time.monotonic() - began))
        it.stop()
        if bench.has("kcat") and bench.has("rsyslog"):
            topic = bench.topic()
            peer = peers.Rsyslog(bench.folder, bench.brokers, topic, [logs / "*.log"])
            await_fact(lambda: peers.end_offset(bench.brokers, topic) >= 100, "rsyslog shipped 100 lines", 60)
            calm(peer.measured)
            theirs.append(idle_ms(peer.measured))
            peer.stop()
    table = Table()
    table.add("weir-agent", ours, "ms/s", 0.3, at_most=True)
    table.add("of it weir's own thread, the rest is librdkafka's", main, "ms/s")
    if theirs:
        table.add("rsyslog", theirs, "ms/s")
    return table


def many(bench, count=10_000):
    """A start with 10,000 files that the registry already knows."""
    first, everything, rss = [], [], []
    for _ in range(bench.rounds):
        folder, logs = quiet_files(bench, count)
        topic = bench.topic()
        it = weir_runs.Agent(folder, bench.brokers, topic, [logs / "*.log"])
        it.await_shipped(count)
        it.stop()
        for i in range(count):
            with open(logs / f"site{i}.log", "a") as out:
                out.write(LINE.format(i))
        known = bench.topic_bytes(topic)
        began = time.monotonic()
        it.start()
        await_fact(lambda: bench.topic_bytes(topic) != known, "the first batch is in the topic", 60, every_s=0.002)
        first.append(time.monotonic() - began)
        it.await_shipped(count)
        everything.append(it.shipped_s)
        rss.append(it.stop().rss_mb)
    table = Table()
    table.add("first batch in the topic after", first, "s", 1, at_most=True)
    table.add("the last of 10,000 batches after", everything, "s")
    table.add("peak RSS", rss, "MB", 48, at_most=True)
    return table


def growth(bench):
    """The cost of a line as the number of lines, files or sites grows."""
    table = Table()
    few = bench.lines // 10
    head = bench.folder / "tenth.log"
    with open(head, "wb") as out:
        subprocess.run(["head", "-n", str(few), bench.log], stdout=out, check=True)
    # A start costs the same for few and for many: subtract it.
    nothing = bench.folder / "one.log"
    nothing.write_text(LINE.format(1))
    start_s = [weir_runs.local(bench.folder, nothing).cpu_s for _ in range(bench.rounds)]

    def costs(log, lines):
        used = [weir_runs.local(bench.folder, log) for _ in range(bench.rounds)]
        return [(u.cpu_s - s) / lines * 1e9 for u, s in zip(used, start_s)], [u.rss_mb for u in used]

    def rows():
        with sqlite3.connect(bench.folder / "local.db") as store:
            return store.execute("SELECT COUNT(*) FROM window_traffic").fetchone()[0]

    def with_sites(name, source, site_of_line):
        """Writes the log with other host names; returns its path."""
        path = bench.folder / f"{name}.log"
        with open(source) as lines, open(path, "w") as out:
            for i, line in enumerate(lines):
                before, _, after = line.partition("\" site")
                out.write(f'{before}" site{site_of_line(i)}{after[after.index("."):]}')
        return path

    small, small_rss = costs(head, few)
    large, large_rss = costs(bench.log, bench.lines)
    table.add(f"local, {few:,} lines", small, "CPU ns/line")
    table.add(f"local, {bench.lines:,} lines", large, "CPU ns/line")
    table.add(f"{bench.lines:,} lines to {few:,}", ratios(large, small), "times", 1.1, at_most=True)
    table.add("peak RSS, the same", ratios(large_rss, small_rss), "times", 1.2, at_most=True)
    for sites in (1, 1000):
        cost, _ = costs(with_sites("some", head, lambda i: i * 7919 % sites), few)
        table.add(f"{sites:,} sites in turn, {few:,} lines: {rows() / few:.2g} rows a line", cost, "CPU ns/line")
    many_sites, sites_rss = costs(with_sites("sites", head, lambda i: i * 7919 % 10_000), few)
    table.add(f"10,000 sites in turn, {few:,} lines: {rows() / few:.2g} rows a line", many_sites, "CPU ns/line")
    table.add("10,000 sites to 20", ratios(many_sites, small), "times", 1.1, at_most=True)
    table.add("10,000 sites, peak RSS", sites_rss, "MB")
    # As many lines as the log has, on average a hundred per site, with equal popularity or by Zipf's law.
    chance = random.Random(5)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(10_000)))
    for name, pick in (("alike", lambda i: chance.randrange(10_000)),
                       ("by Zipf's law", lambda i: bisect.bisect_left(weights, chance.random() * weights[-1]))):
        cost, used_rss = costs(with_sites("sites", bench.log, pick), bench.lines)
        table.add(f"10,000 sites {name}, {bench.lines:,} lines: {rows() / bench.lines:.2g} rows a line", cost, "CPU ns/line")
        table.add(f"10,000 sites {name}, peak RSS", used_rss, "MB")
    return table


def files(bench):
    """The agent's cost of a line in one file, in a hundred, in ten thousand."""
    table = Table()
    costs = {}
    for count in (1, 100, 10_000):
        folder = bench.new_folder("split")
        paths = [folder / f"a{i}.log" for i in range(count)]
        with open(bench.log) as source:
            whole = source.readlines()
        for i, path in enumerate(paths):
            path.write_text("".join(whole[i::count]))
        costs[count] = []
        for _ in range(bench.rounds):
            it = weir_runs.Agent(bench.new_folder("agent"), bench.brokers, bench.topic(), [folder / "*.log"])
            it.await_shipped(bench.lines)
            costs[count].append(it.stop().cpu_s / bench.lines * 1e9)
        shutil.rmtree(folder)
        table.add(f"agent, {count:,} {'file' if count == 1 else 'files'} of {bench.lines // count:,} lines, start included", costs[count], "CPU ns/line")
    table.add("100 files to one", ratios(costs[100], costs[1]), "times", 1.1, at_most=True)
    table.add("10,000 files to one", ratios(costs[10_000], costs[1]), "times", 1.1, at_most=True)
    return table


def long(bench):
    """The cost of a line with a hundred times as many: one log, ten, a hundred of the same minutes (30 GB of disk)."""
    table = Table()
    costs, rss = collections.defaultdict(list), collections.defaultdict(list)
    for copies in (1, 10, 100):
        logs, lines = bench.copies(copies)
        for _ in range(bench.rounds):
            for ship_ in ("records", "windows"):
                topic = bench.topic()
                it = weir_runs.Agent(bench.new_folder("agent"), bench.brokers, topic, [logs], ship=ship_)
                it.await_shipped(lines, 3000)
                shipped = it.stop()
                settled = weir_runs.settle(bench.new_folder("settle"), bench.brokers, topic, lines)
                for who, used in (("agent", shipped), ("aggregator", settled)):
                    costs[ship_, who, copies].append(used.cpu_s / lines * 1e9)
                    rss[ship_, who, copies].append(used.rss_mb)
        shutil.rmtree(logs.parent)
    for ship_, who in (("records", "agent"), ("records", "aggregator"), ("windows", "agent"), ("windows", "aggregator")):
        for copies in (1, 10, 100):
            table.add(f"{ship_}: {who}, {copies * (bench.lines + 1):,} lines, start included", costs[ship_, who, copies], "CPU ns/line")
        table.add(f"{ship_}: {who}, a hundred logs to one", ratios(costs[ship_, who, 100], costs[ship_, who, 1]), "times", 1.1, at_most=True)
        table.add(f"{ship_}: {who}, a hundred logs to ten", ratios(costs[ship_, who, 100], costs[ship_, who, 10]), "times", 1.1, at_most=True)
        table.add(f"{ship_}: {who}, peak RSS, a hundred logs to one", ratios(rss[ship_, who, 100], rss[ship_, who, 1]), "times")
        table.add(f"{ship_}: {who}, peak RSS, a hundred logs", rss[ship_, who, 100], "MB")
    return table


SECTIONS = {"ship": ship, "acks": acks, "parse": parse, "settle": settle, "windows": windows, "single": single, "latency": latency,
            "idle": idle, "many": many, "growth": growth, "files": files, "long": long}
ONLY_BY_NAME = {"long"}  # takes a quarter of an hour and much disk
NEED_NO_BROKER = {"parse", "single"}
