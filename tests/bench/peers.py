"""The programs that weir is compared with, configured as a sensible user would for the same guarantee: acks=all,
an idempotent producer, zstd, and saved positions where the program can save them."""

import functools
import os
import re
import shutil
import subprocess
import sys

from measure import Measured, run
from weir_parts import TOP, await_fact

CONSUMER = TOP / "tests/bench/python_consumer"
LATENCY_CONSUMER = TOP / "tests/bench/latency_consumer"


@functools.cache
def python():
    """A Python that has confluent-kafka, or None."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([candidate, "-c", "import confluent_kafka"], capture_output=True).returncode == 0:
            return candidate
    return None


def missing():
    """Names of the missing peers, and what each is needed for."""
    needs = {"kcat": "the floor of shipping, and the sizes of topics", "rsyslogd": "shipping, latency, idling",
             "goaccess": "the single box"}
    out = [f"{name} ({what})" for name, what in needs.items() if shutil.which(name) is None]
    if syslog_ng_program() is None:
        out.append("syslog-ng (shipping)")
    if shutil.which("rsyslogd") and not omkafka():
        out.append("rsyslog-kafka (shipping, latency)")
    if python() is None:
        out.append("python3-confluent-kafka (the aggregator's peer, latency)")
    return out


@functools.cache
def syslog_ng_program():
    """Its command and environment, installed or unpacked by tests/bench/peers; None if it is missing."""
    if shutil.which("syslog-ng"):
        return ["syslog-ng"], None
    root = TOP / "build/peers/syslog-ng/usr"
    if not (root / "sbin/syslog-ng").exists():
        return None
    libraries = next((root / "lib/syslog-ng").glob("[0-9]*"))
    return ([root / "sbin/syslog-ng", "--module-path", libraries],
            os.environ | {"LD_LIBRARY_PATH": str(libraries.parent)})


def omkafka():
    return subprocess.run("ls /usr/lib/*/rsyslog/omkafka.so /usr/lib64/rsyslog/omkafka.so 2>/dev/null | grep -q .",
                          shell=True).returncode == 0


def end_offset(brokers, topic, partitions=2):
    asked = [f"{topic}:{partition}:-1" for partition in range(partitions)]
    done = subprocess.run(["kcat", "-Q", "-b", brokers] + [word for one in asked for word in ("-t", one)],
                          capture_output=True, text=True)
    return sum(int(n) for n in re.findall(r"offset (\d+)", done.stdout))


def kcat(folder, brokers, topic, log, idempotent):
    more = ["-X", "enable.idempotence=true"] if idempotent else []
    return run(["kcat", "-P", "-b", brokers, "-t", topic, "-z", "zstd", "-X", "acks=all", *more, "-l", log],
               folder / "kcat.log")


RULES = """version=2
rule=:%remote:word% - %user:word% [%time:char-to:]%] "%method:word% %path:word% %protocol:char-to:"%" %status:number% %bytes:number% "%referrer:char-to:"%" "%agent:char-to:"%" "%forwarded:char-to:"%" %host:word% %took:word% %upstream:rest%
"""


class Rsyslog:
    def __init__(self, folder, brokers, topic, paths, parsed=False, linger_ms=None):
        folder = folder / f"rsyslog-{topic}"
        (folder / "work").mkdir(parents=True)
        (folder / "rules").write_text(RULES)
        settings = ["acks=all", "enable.idempotence=true", "compression.codec=zstd"]
        if linger_ms is not None:
            settings.append(f"queue.buffering.max.ms={linger_ms}")
        inputs = "\n".join(f'input(type="imfile" File="{path}" Tag="nginx" ruleset="out" persistStateInterval="10000")'
                           for path in paths)
        text = "%$!all-json-plain%" if parsed else "%msg%"
        normalize = f'action(type="mmnormalize" rulebase="{folder}/rules" useRawMsg="on")' if parsed else ""
        (folder / "rsyslog.conf").write_text(f"""
global(workDirectory="{folder}/work" maxMessageSize="64k")
module(load="imfile")
module(load="omkafka")
{'module(load="mmnormalize")' if parsed else ""}
template(name="line" type="string" string="{text}")
{inputs}
ruleset(name="out" queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="2000") {{
  {normalize}
  action(type="omkafka" broker=["{brokers}"] topic="{topic}" template="line" partitions.auto="on"
    confParam=[{", ".join(f'"{setting}"' for setting in settings)}])
}}
""")
        self.measured = Measured(["rsyslogd", "-n", "-f", folder / "rsyslog.conf", "-i", folder / "pid"], folder / "log")

    def stop(self):
        return self.measured.stop((0, 1))


def rsyslog(folder, brokers, topic, log, lines, parsed):
    program = Rsyslog(folder, brokers, topic, [log], parsed, linger_ms=100)
    await_fact(lambda: end_offset(brokers, topic) >= lines, f"rsyslog shipped {lines} lines", 900)
    return program.stop()


def syslog_ng(folder, brokers, topic, log, lines):
    folder = folder / f"syslog-ng-{topic}"
    folder.mkdir()
    (folder / "syslog-ng.conf").write_text(f"""@version: 3.38
options {{ log-fifo-size(200000); stats-freq(0); }};
source s {{ file("{log}" flags(no-parse) follow-freq(1) log-iw-size(100000) log-fetch-limit(10000) read-old-records(yes)); }};
destination d {{ kafka-c(bootstrap-servers("{brokers}") topic("{topic}") message("$MSG")
  config(acks("all") enable.idempotence("true") compression.codec("zstd") queue.buffering.max.ms("100"))); }};
log {{ source(s); destination(d); flags(flow-control); }};
""")
    command, environment = syslog_ng_program()
    program = Measured([*command, "-F", "-f", folder / "syslog-ng.conf", "-R", folder / "persist", "-p", folder / "pid",
                        "-c", folder / "ctl"], folder / "log", environment)
    await_fact(lambda: end_offset(brokers, topic) >= lines, f"syslog-ng shipped {lines} lines", 900)
    return program.stop()


def goaccess(folder, log):
    form = '%h - %e [%d:%t %^] "%r" %s %b "%R" "%u" "%^" %v %T %^'
    return run(["goaccess", log, f"--log-format={form}", "--date-format=%d/%b/%Y", "--time-format=%T", "--no-global-config",
                "-o", folder / "goaccess.json"], folder / "goaccess.log")


def python_consumer(folder, brokers, topic, lines):
    store = folder / f"python-{topic}.db"
    store.unlink(missing_ok=True)
    return run([python(), CONSUMER, brokers, topic, lines, store], folder / "python_consumer.log")
