"""What the agent writes decodes to the same objects that `weir-agent parse` prints, both with `weir-agent cat` and with the
example in Python."""

import codecs
import collections
import json
import pathlib
import shutil
import signal
import struct
import subprocess
import unittest

from kafka_client import Producer
from topic_parts import SharedKafka
from weir_parts import BIN, TOP, await_fact, part

DATA = TOP / "tests/data"
GOLDEN = sorted((DATA / "golden/v2").glob("*.batch"))
REGEX = r'(?P<time>\S+) (?P<remote_addr>\S+) "(?P<request>[^"]*)" (?P<status>\d+) (?P<shop>\S+)'
BALANCED = ('--trusted-proxy', '10.0.0.0/8', '--client-from', 'http_x_forwarded_for')
# What strangers send to servers, in formats that tests/data/format does not have.
LOGS = {
    "w3c": [b"#Version: 1.0", b"#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes x-edge",
            b"2026-11-25\t08:00:00\t192.0.2.1\tGET\t/a\t200\t512\tAMS1", b"2026-11-25\t08:00:01\t2001:db8::1\tGET\t/b\t404\t0\t-", b"not of it"],
    "shop": [b'2026-11-25T08:00:00Z 192.0.2.1 "GET /a?b HTTP/1.1" 200 nl', b'2026-11-25T08:00:01+01:00 2001:db8::1 "GET /a HTTP/2.0" 301 caf\xc3\xa9',
             b"", b"yesterday", b'never 10.0.0.1 "GET / HTTP/1.1" 200 x', b"a\0hole"],
    "balanced": [b'10.0.0.1 - - [25/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x" "203.0.113.7, 10.0.0.2"',
                 b'10.0.0.1 - - [25/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x" "2001:db8::7"'],
    "strangers": [b'::1 - - [25/Nov/2026:08:00:00 +0000] "\\x16\\x03\\x01\\x02\\x00\\x01\\x00" 400 150 "-" "-"',
                  b'192.0.2.1 - - [25/Nov/2026:08:00:00 +0000] "\x16\x03\x01\xff\xfe" 400 150 "-" "-"',
                  b'192.0.2.1 - caf\xe9 [25/Nov/2026:08:00:00 +0000] "GET /\xe4\xb8 HTTP/1.1" 200 18446744073709551615 "\x1b[2J" "\xc2\x9b\xe2\x80\xae"',
                  b'2001:DB8::1 - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.1" 200 0 "-" "-"',
                  b"no line of this format " + "é".encode() * 600, b"\xff" * 20, b"cut inside a character: " + b"x" * 487 + "é".encode()]
                 + [b"unparsed %d" % i for i in range(12)],
}


def text(raw):
    """Each byte that is not UTF-8 becomes U+FFFD."""
    codecs.register_error("each byte", lambda error: ("\ufffd" * (error.end - error.start), error.end))
    return raw.decode("utf-8", "each byte")


class Wire(SharedKafka):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Made as packaging/examples/decode.py describes.
        cls.module = cls.shared / "module"
        cls.module.mkdir()
        subprocess.run(["protoc", "--proto_path=proto", f"--python_out={cls.module}", "proto/weir.proto"], cwd=TOP, check=True, timeout=60)

    def topic(self, partitions=1):
        name = f"{self._testMethodName}"
        part("kafka", "topic", self.kafka_folder, name, partitions)
        return name

    def agent_config(self, topic, extra=""):
        logs = self.folder / "logs"
        config = self.folder / "agent.toml"
        formats = [line.split("\t") for line in (DATA / "format/formats.txt").read_text().splitlines()]
        tables = [f"[format.{name}]\nnginx = '{pattern}'\nescape = \"{escape}\"\n" for name, escape, pattern in formats if escape != "named"]
        self.formats = {name: (pattern if escape == "named" else name) for name, escape, pattern in formats}
        self.formats |= {"w3c": "w3c", "shop": "shop", "balanced": "main", "strangers": "combined"}
        inputs = [f"[[input]]\nname = \"{name}\"\npaths = [\"{logs}/{name}.log\"]\nformat = \"{given}\"\nfields = {{ dc = \"ams\" }}\n"
                  + ("trusted_proxies = [\"10.0.0.0/8\"]\nclient_from = [\"http_x_forwarded_for\"]\n" if name == "balanced" else "")
                  for name, given in self.formats.items()]
        config.write_text(f"""
[agent]
id = "web1"
state_dir = "{self.folder}/agent-state"
{"".join(tables)}
[format.shop]
regex = '{REGEX}'
{"".join(inputs)}
[output.kafka]
brokers = ["{self.brokers}"]
topic = "{topic}"
{extra}
[ship]
batch_max_bytes = "64KiB"
[metrics]
listen = ""
""")
        return config

    def cat(self, *arguments, code=0):
        return self.run_once("weir-agent", "cat", *arguments, code=code)

    def objects(self, *arguments):
        return [json.loads(line) for line in self.cat(*arguments).stdout.splitlines()]

    def decode(self, messages):
        done = subprocess.run(["/usr/bin/python3", TOP / "packaging/examples/decode.py"], input=messages, capture_output=True, timeout=120,
                              env={"PYTHONPATH": str(self.module), "PYTHONDONTWRITEBYTECODE": "1"})
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()

    def parsed(self, config, name, path):
        given = BALANCED if name == "balanced" else ()
        done = subprocess.run([BIN / "weir-agent", "parse", "--config", config, "--format", self.formats[name], *given, path],
                              capture_output=True, timeout=120, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_cat_and_the_example_print_what_parse_prints(self):
        topic = self.topic()
        config = self.agent_config(topic)
        logs = self.folder / "logs"
        logs.mkdir()
        for name in self.formats:
            if name in LOGS:
                (logs / f"{name}.log").write_bytes(b"\n".join(LOGS[name]) + b"\n")
            else:
                shutil.copy(DATA / f"format/{name}.log", logs)
        agent = self.program("weir-agent", "run", "--config", config)
        wanted = sum(path.stat().st_size for path in logs.iterdir())

        def shipped():
            return sum(h["end"] - h["begin"] for h in self.objects("--config", config, "--headers") if h["kind"] == "records") == wanted

        await_fact(shipped, f"{wanted} bytes of logs are in the topic")
        self.assertEqual(agent.stop(), 0, agent.output())

        by_path = collections.defaultdict(list)
        for line in self.objects("--config", config, "--provenance"):
            by_path[pathlib.Path(line["weir.path"]).stem].append(line)
        kinds = collections.Counter()
        for name in self.formats:
            raw = (logs / f"{name}.log").read_bytes()
            want = [o for o in self.parsed(config, name, logs / f"{name}.log") if o.get("error.message") != "no data: comment or blank line"]
            self.assertEqual(len(by_path[name]), len(want), name)
            for got, expected in zip(sorted(by_path[name], key=lambda o: o["weir.begin"]), want):
                where = {key: got.pop(key) for key in list(got) if key.startswith("weir.") and key != "weir.peer.address"}
                self.assertEqual((where["weir.topic"], where["weir.input"], where["weir.agent_id"]), (topic, name, "web1"))
                line = raw[where["weir.begin"]:where["weir.end"]]
                self.assertTrue(line.endswith(b"\n") and line.count(b"\n") == 1, line)
                kinds["error.message" in expected, "message" in got] += 1
                if "error.message" in expected:
                    # Of a line that did not parse, the beginning is sent; of those after the first eight in a
                    # batch, nothing.
                    expected = {**({"message": text(line[:-1][:512])} if "message" in got else {}), "error.message": expected["error.message"]}
                self.assertEqual(got, expected, line)
        self.assertGreater(min(kinds[False, False], kinds[True, True], kinds[True, False]), 3, kinds)

        messages = self.folder / "messages"
        with open(messages, "wb") as out:
            subprocess.run([BIN / "weir-agent", "cat", "--config", config, "--messages"], stdout=out, timeout=60, check=True)
        code, got, errors = self.decode(messages.read_bytes())
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(got, self.objects("--config", config))
        self.assertEqual(got, self.objects(messages))
        self.assertGreater(len(got), 200)

    def test_the_example_reads_the_golden_batches(self):
        frames = {path.stem: struct.pack(">I", path.stat().st_size) + path.read_bytes() for path in GOLDEN}
        self.assertGreater(len(frames), 15)
        for path in GOLDEN:
            want = path.with_suffix(".jsonl").read_text().splitlines()
            code, got, errors = self.decode(frames[path.stem])
            if want[0].startswith("refused: "):
                self.assertEqual((code, got), (3, []), path)
                self.assertRegex(errors, "message 0: ", path)
            else:
                self.assertEqual((code, errors), (0, ""), path)
                self.assertEqual(got, [json.loads(line) for line in want[1:]], path)
        whole = self.decode(b"\0\0\0\x03raw" + b"".join(frames.values()))
        self.assertEqual(len(whole[1]), sum(len(path.with_suffix(".jsonl").read_text().splitlines()) - 1 for path in GOLDEN))
        self.assertEqual((whole[0], whole[2].count("message ")), (3, sum("refused" in name for name in frames)))

    def test_cat_reads_what_it_is_asked_for(self):
        topic = self.topic(partitions=2)
        config = self.agent_config(topic)
        at = ("--brokers", self.brokers, "--topic", topic)
        batch = next(path for path in GOLDEN if path.stem == "shop" or path.stem == "regex").read_bytes()
        with Producer(self.brokers) as producer:
            for payload in (batch, b"\rWEIR is not what follows", b'{"message": "of\x7f another", "n": [1.50]}', b"\x1b[2J raw \xff"):
                producer.send(topic, 0, payload)
            producer.send(topic, 1, None)
            producer.send(topic, 1, b"last")
            producer.flush()
        done = self.cat(*at, code=3)
        self.assertIn(f"weir-agent: {topic}[0]@1: batch: ", done.stderr)
        self.assertIn("6 messages: 1 batches (2 records, 3 unparsed, 1 filtered), 0 heartbeats, 0 losses, 4 others, 1 not decoded\n", done.stderr)
        self.assertIn('{"message":"of\\u007f another","n":[1.50]}\n', done.stdout)
        self.assertIn('{"message":"\\u001b[2J raw \ufffd"}\n', done.stdout)
        self.assertTrue(all(c == "\n" or c.isprintable() for c in done.stdout), done.stdout)

        headers = [(h["partition"], h["offset"], h["kind"]) for h in self.objects(*at, "--headers", "--partition", 0, "--offset", -2)]
        self.assertEqual(headers, [(0, 2, "json"), (0, 3, "raw")])
        first = json.loads(self.cat(*at, "--headers", "--partition", "0", "--count", "1", "-e").stdout)
        told = json.loads(next(p for p in GOLDEN if p.stem == "regex").with_suffix(".jsonl").read_text().splitlines()[0])
        self.assertEqual((first.pop("topic"), first.pop("partition"), first.pop("timestamp_ms") > 0), (topic, 0, True))
        del told["file"]
        self.assertEqual(first, told)
        self.assertEqual(self.objects("--config", config, "--offset", "3", "--partition", "0"), [{"message": "\x1b[2J raw \ufffd"}])
        self.assertEqual(self.objects("--config", config, "--offset", "end"), [])
        self.assertEqual(self.objects("--config", config, "--topic", topic, "--partition", 1), [{"message": ""}, {"message": "last"}])

        for arguments, code, sentence in (
                ((*at, "--offset", "9"), 9, f"{topic}[0] has no offset 9 yet; it ends at 4"),
                ((*at, "--offset", "middle"), 2, '"middle" is not an offset'),
                ((*at, "--partition", "7"), 9, f"topic {topic} has no partition 7"),
                (("--brokers", self.brokers, "--topic", "nowhere"), 9, "topic nowhere at "),
                (("--brokers", "127.0.0.1:1", "--topic", topic), 9, "no broker of 127.0.0.1:1 answers"),
                (("--config", self.agent_config(topic, "tls = true")), 9, "SSL handshake"),
                ((), 2, "give --config, or --brokers and --topic, or files"),
                (("--brokers", self.brokers), 2, "--topic"),
                (("--follow", "file"), 2, "excludes"),
                (("--messages", "--headers", *at), 2, "excludes")):
            done = self.cat(*arguments, code=code)
            self.assertIn(sentence, done.stdout + done.stderr)

        groups = part_output(self.kafka_folder, "consumer.group.ConsumerGroupCommand", "--list")
        self.assertEqual(groups.strip(), "", "it is in no group")

    def test_cat_follows_until_it_is_told_to_stop(self):
        topic = self.topic()
        for stop in (signal.SIGINT, signal.SIGTERM):
            with Producer(self.brokers) as producer:
                producer.send(topic, 0, b"before")
                producer.flush()
                follower = self.program("weir-agent", "cat", "--brokers", self.brokers, "--topic", topic, "--follow", "--offset", "-1")
                await_fact(lambda: '{"message":"before"}\n' in follower.output(), "the last message is printed")
                producer.send(topic, 0, b"after")
                producer.flush()
                await_fact(lambda: '{"message":"after"}\n' in follower.output(), "what came later is printed")
            follower.process.send_signal(stop)
            self.assertEqual(follower.process.wait(30), 0, follower.output())
            self.assertIn("2 messages: 0 batches", follower.output())


def part_output(folder, tool, *arguments):
    done = subprocess.run([TOP / "tests/parts/kafka", "tool", folder, f"org.apache.kafka.tools.{tool}", *arguments],
                          stdout=subprocess.PIPE, text=True, timeout=120, check=True)
    return done.stdout


if __name__ == "__main__":
    unittest.main()
