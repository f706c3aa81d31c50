"""From the topic to the table: whatever happens to the group, the topic and the store, the table equals the log.

One Kafka and one MariaDB serve all cases; each case has its own topic, group, database and logs."""

import contextlib
import json
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import unittest

from kafka_client import Consumer, Producer
from tcp_proxy import Proxy
from topic_parts import Case, Shared
from weir_parts import await_fact, part


def number(value):
    """Encodes a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def fields_of(message):
    """[(number, wire type, value)] of a protobuf message. An independent reader: it shares no code with the programs."""
    fields, at = [], 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = read()
        if key & 7 == 0:
            value = read()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or read()
            value = message[at:at + size]
            at += size
        fields.append((key >> 3, key & 7, value))
    return fields


def message_of(fields):
    out = bytearray()
    for name, kind, value in fields:
        out += number(name << 3 | kind)
        out += number(value) if kind == 0 else (number(len(value)) if kind == 2 else b"") + value
    return bytes(out)


def zstd_of_one_byte(byte, size):
    """A small frame that truthfully claims to expand to `size` times that byte."""
    blocks = bytearray()
    for at in range(0, size, 1 << 17):
        block = min(1 << 17, size - at)
        blocks += (int(at + block == size) | 1 << 1 | block << 3).to_bytes(3, "little") + bytes([byte])
    return b"\x28\xb5\x2f\xfd\xc0\x38" + size.to_bytes(8, "little") + bytes(blocks)


# Field numbers of Batch in proto/weir.proto.
VERSION, KIND, SOURCE, BEGIN, END, LINES, COLUMNS_BYTES, COLUMNS = 2, 3, 4, 5, 6, 17, 18, 19


class Rebalance(Shared):
    def joined_left_killed_and_slept(self, name, strategy):
        case = Case(self, name, partitions=4, files=8)
        agent = case.agent()
        network = Proxy(int(self.database["port"]), marker=b"UPDATE partition_state SET next_offset")
        self.addCleanup(network.close)

        def start(**keywords):
            return case.aggregator(strategy=strategy, **keywords)

        def shared_by(*programs):
            pids = {program.process.pid for program in programs}
            await_fact(lambda: len(case.owners()) == 4 and set(case.owners().values()) == pids, f"the partitions are shared by {pids}")

        with case.logs.flowing():
            one, two = start(), start()
            shared_by(one, two)
            three = start(database_port=network.port)
            shared_by(one, two, three)
            case.ended(two)
            shared_by(one, three)
            one.kill()
            two = start()
            shared_by(two, three)
            # A zombie: it sleeps until the group has given its partitions away. If it slept in the middle of
            # a commit, it wakes with lines that another has counted since.
            for in_commit in (False, True):
                if in_commit:
                    case.hold_before_commit(three, network)
                three.process.send_signal(signal.SIGSTOP)
                shared_by(two)
                before = case.counted()
                await_fact(lambda: case.counted() > before, "the new owner counts on")
                three.process.send_signal(signal.SIGCONT)
                network.open()
                shared_by(two, three)
            self.assertGreaterEqual(case.metric(three, "fenced_total"), 1)
        case.settled()
        case.whole()
        case.ended(two, three, agent)

    def test_cooperative(self):
        self.joined_left_killed_and_slept("cooperative", "cooperative-sticky")

    def test_eager(self):
        self.joined_left_killed_and_slept("eager", "range,roundrobin")

    def test_an_owner_that_does_not_know_that_it_is_none_is_fenced(self):
        """Two groups on one store, by mistake: each believes that it owns the partitions."""
        case = Case(self, "fenced", partitions=2)
        agent = case.agent()
        with case.logs.flowing():
            one = case.aggregator(group="one")
            await_fact(lambda: set(case.owners().values()) == {one.process.pid}, "the first has the partitions")
            before = case.counted()
            await_fact(lambda: case.counted() > before, "it counts")
            two = case.aggregator(group="two")
            await_fact(lambda: case.metric(one, "fenced_total") >= 1, "the first one's commit is refused")
            await_fact(lambda: case.metric(two, "fenced_total") >= 1, "it takes them back, and the other's is refused")
        case.settled()
        case.whole()
        case.ended(one, two, agent)

    def test_an_owner_that_sleeps_within_its_transaction_holds_up_its_heir_for_seconds_only(self):
        case = Case(self, "asleep", partitions=2)
        network = Proxy(int(self.database["port"]), marker=b"UPDATE partition_state SET next_offset")
        self.addCleanup(network.close)
        agent = case.agent()
        with case.logs.flowing():
            sleeper = case.aggregator(database_port=network.port)
            await_fact(lambda: case.counted() > 1000, "it counts")
            case.asleep_within_commit(sleeper, network)
            asleep = case.open_transactions()
            self.assertTrue(asleep)
            heir = case.aggregator()
            await_fact(lambda: set(case.owners().values()) == {heir.process.pid}, "the heir has both partitions: the server let go of the rows", 60)
            self.assertFalse(asleep & case.open_transactions())
            before = case.counted()
            await_fact(lambda: case.counted() > before + 1000, "it counts on")
            sleeper.process.send_signal(signal.SIGCONT)
            network.open()
            await_fact(lambda: set(case.owners().values()) == {heir.process.pid, sleeper.process.pid}, "they share the partitions")
        case.settled()
        case.whole()
        case.ended(sleeper, heir, agent)

    def test_partitions_are_added(self):
        case = Case(self, "added", partitions=2)
        agent, aggregator = case.agent(), case.aggregator()
        case.logs.write(4000)
        case.settled()
        case.tool("TopicCommand", "--alter", "--topic", case.name, "--partitions", "5")
        case.partitions = 5
        case.ended(agent)  # after a restart it sees them at once
        case.logs.files.update({case.logs.folder / f"new-{i}.log": f"new-{i}.example" for i in range(24)})
        agent = case.agent()
        case.logs.write(6000)
        case.settled()
        case.whole()
        await_fact(lambda: len(case.owners()) == 5, "each new partition is owned")
        self.assertTrue(set(case.offsets()) == set(range(5)) and min(case.offsets().values()) > 0, case.offsets())
        self.assertEqual(case.sql("SELECT partition_id FROM window_traffic WHERE site LIKE 'added-%' AND partition_id > 1"), [],
                         "a source that was there keeps its partition")
        case.ended(aggregator, agent)

    # Things that happen to the topic, the group and the store without the aggregator's knowledge.

    def recreate(self, case):
        case.tool("TopicCommand", "--delete", "--topic", case.name)

        def made():
            try:
                part("kafka", "topic", self.kafka_folder, case.name, case.partitions)
            except subprocess.CalledProcessError:
                return False  # the old one is still being deleted
            return True

        await_fact(made, "the topic is there again")

    def test_recreated_under_a_running_aggregator(self):
        case = Case(self, "recreated", partitions=2)
        agent, aggregator = case.agent(), case.aggregator()
        case.logs.write(4000)
        case.settled()
        self.recreate(case)
        case.logs.write(1000)
        case.settled()
        self.assertEqual(case.gaps(), [])
        reasons = [reason for reason, in case.sql("SELECT DISTINCT reason FROM dead_letter")]
        self.assertTrue(reasons and all("created again" in reason for reason in reasons), reasons)
        case.ended(aggregator, agent)

    def test_recreated_and_grown_past_the_old_offset_before_the_aggregator_looks(self):
        case = Case(self, "grown")
        agent, aggregator = case.agent(), case.aggregator()
        case.logs.write(400)
        case.settled()
        case.ended(aggregator)
        old = case.offsets()[0]
        self.recreate(case)
        with Consumer(self.brokers) as topic:
            def grown():
                case.logs.write(500)
                return topic.end(case.name, 0)[1] > 2 * old + 10
            await_fact(grown, "the new topic is longer than the old one was")
        aggregator = case.aggregator()
        case.accounted()
        case.ended(aggregator, agent)

    def test_messages_gone_by_retention_are_gaps(self):
        case = Case(self, "retention", files=3)
        agent, aggregator = case.agent(), case.aggregator()
        case.logs.write(900)
        case.settled()
        case.ended(aggregator)
        at = case.offsets()[0]
        kept, gone = "retention-0", "retention-1"
        case.logs.write(1500, [gone])  # all of it is gone, and only the agent's claim follows it
        with Consumer(self.brokers) as topic:
            await_fact(lambda: topic.end(case.name, 0)[1] >= at + 10, "the topic has them")
            for _ in range(20):
                case.logs.write(300, [kept])
            await_fact(lambda: topic.end(case.name, 0)[1] >= at + 50, "the topic has them")
        records = self.folder / "records.json"
        records.write_text('{"version": 1, "partitions": [{"topic": "retention", "partition": 0, "offset": %d}]}' % (at + 25))
        case.tool("DeleteRecordsCommand", "--offset-json-file", records)
        aggregator = case.aggregator()
        case.logs.write(100, [kept])
        case.accounted()
        gaps = case.gaps()
        self.assertEqual({path.stem for path, *_ in gaps}, {kept, gone}, gaps)
        self.assertEqual({cause for *_, cause, _ in gaps}, {64}, gaps)
        self.assertTrue(all(since > 1_700_000_000_000 for *_, since in gaps), gaps)
        self.assertEqual(case.sql("SELECT message_offset FROM dead_letter WHERE reason LIKE 'messages [%) are gone%'"), [[str(at)]])
        case.ended(aggregator, agent)

    def test_what_an_operator_skips_is_a_gap_that_says_so(self):
        case = Case(self, "skipped", files=2)
        agent, aggregator = case.agent(), case.aggregator()
        case.logs.write(600)
        case.settled()
        case.whole()
        skipped = case.logs.folder / "skipped-0.log"
        state = ("--state-dir", self.folder / "agent")
        (entry,) = [e for e in map(json.loads, self.run_once("weir-agent", "registry", "export", *state).stdout.splitlines())
                    if e["path"] == str(skipped)]
        case.ended(agent)
        begin = entry["acknowledged_offset"]
        case.logs.write(50, ["skipped-0"])
        self.run_once("weir-agent", "registry", "set-offset", *state, entry["source"], skipped.stat().st_size)
        end = skipped.stat().st_size
        agent = case.agent()
        case.logs.write(100)
        case.accounted()
        self.assertEqual([gap[:4] for gap in case.gaps()], [(skipped, begin, end, 5)])
        self.assertEqual(case.lines_in_gaps(), 50)
        audit = self.run_once("weir-aggregator", "audit", "--config", case.config()[0], code=10).stdout
        self.assertIn(f"bytes [{begin}, {end}), {end - begin:,} bytes, skipped by the operator, since 20", audit)
        # It was a mistake: return to where the bytes are.
        case.ended(agent)
        self.run_once("weir-agent", "registry", "set-offset", *state, entry["source"], begin)
        agent = case.agent()
        case.settled()
        case.whole()
        self.run_once("weir-aggregator", "audit", "--config", case.config()[0])
        case.ended(aggregator, agent)

    def test_a_group_that_an_operator_resets(self):
        case = Case(self, "reset", partitions=2)
        agent, aggregator = case.agent(), case.aggregator()
        case.logs.write(2000)
        case.settled()
        group = "consumer.group.ConsumerGroupCommand"
        for where in ("--to-earliest", "--to-latest"):
            case.ended(aggregator)
            case.logs.write(1000)
            with Consumer(self.brokers) as topic:
                await_fact(lambda: sum(topic.end(case.name, p)[1] for p in range(2)) > sum(max(0, o) for o in case.offsets().values()) + 2,
                           "the topic has more")
            case.tool(group, "--group", case.name, "--topic", case.name, "--reset-offsets", where, "--execute")
            aggregator = case.aggregator()
            case.settled()
        case.whole()
        case.ended(aggregator, agent)

    def test_stores_of_yesterday_count_the_same_again(self):
        """MariaDB from a dump, SQLite from a copy of its file."""
        case = Case(self, "yesterday", partitions=2)
        file = self.folder / "weir.db"

        def start():
            return case.aggregator(), case.aggregator(group="sqlite", sqlite=file)

        def sqlite_counts():
            await_fact(lambda: sum(r for r, _ in (self.report("--store", file) or {}).values()) >= case.logs.written, "SQLite has all")
            rows = self.report("--store", file)
            self.assertEqual({key: value for key, value in rows.items() if value[0]}, dict(case.logs.truth))

        agent, aggregators = case.agent(), start()
        case.logs.write(3000)
        case.settled()
        sqlite_counts()
        case.ended(*aggregators)
        dump = subprocess.run(["mariadb-dump", "--no-defaults", f"--socket={self.database['socket']}", "-u", "root", case.name],
                              capture_output=True, check=True).stdout
        with contextlib.closing(sqlite3.connect(file)) as source, contextlib.closing(sqlite3.connect(self.folder / "backup.db")) as copy:
            source.backup(copy)
        aggregators = start()
        case.logs.write(3000)
        case.settled()
        sqlite_counts()
        case.ended(*aggregators)
        case.sql("DROP DATABASE yesterday; CREATE DATABASE yesterday", "")
        subprocess.run(["mariadb", "--no-defaults", f"--socket={self.database['socket']}", "-u", "root", case.name], input=dump, check=True)
        for leftover in self.folder.glob("weir.db*"):
            leftover.unlink()
        (self.folder / "backup.db").rename(file)
        self.assertEqual(case.counted(), 3000)
        aggregators = start()
        case.logs.write(500)
        case.settled()
        sqlite_counts()
        case.whole()
        case.ended(*aggregators, agent)

    # Messages that are invalid.

    def template(self):
        """A valid batch, of a source that does not belong to the case."""
        case = Case(self, "template")
        agent = case.agent()
        case.logs.write(400)
        with Consumer(self.brokers) as topic:
            found = await_fact(lambda: [payload for _, _, payload in topic.messages("template", 0) if len(payload) > 1000], "a batch came")
        case.ended(agent)
        shutil.rmtree(case.logs.folder)
        shutil.rmtree(self.folder / "agent")
        return found[0]

    @staticmethod
    def poisons(batch):
        fields = fields_of(batch)

        def changed(**new):
            values = {globals()[name]: value for name, value in new.items()}
            return message_of([(name, kind, values.pop(name, value)) for name, kind, value in fields]
                              + [(name, 2 if isinstance(value, bytes) else 0, value) for name, value in values.items()])

        def bomb(size, said):
            return changed(COLUMNS=zstd_of_one_byte(0, size), COLUMNS_BYTES=said)

        facts = {name: value for name, _, value in fields}
        columns_at = batch.index(facts[COLUMNS])
        flip = bytearray(batch)
        flip[columns_at] ^= 1
        return {
            **{f"cut to {size} bytes": batch[:size] for size in (5, 6, 17, 40, columns_at, len(batch) // 2, len(batch) - 1)},
            "a flipped bit in the frame's magic": bytes(flip),
            "a version of tomorrow": changed(VERSION=facts[VERSION] + 1),
            "an unknown kind": changed(KIND=99),
            "no source": changed(SOURCE=b"\0" * 16),
            "half a source": changed(SOURCE=b"\1" * 8),
            "a range from behind": changed(BEGIN=facts[END] + 1),
            "a range past all files": changed(END=1 << 62),
            "a range that is not its lines'": changed(END=facts[END] + 7),
            "more lines than there may be": changed(LINES=(1 << 20) + 1),
            "more lines than there are": changed(LINES=facts[LINES] + 1),
            "columns larger than they may be": changed(COLUMNS_BYTES=64 << 20),
            "columns of another size": changed(COLUMNS_BYTES=facts[COLUMNS_BYTES] - 1),
            "no columns": changed(COLUMNS=b""),
            "a bomb of 4 GiB": bomb(4 << 30, 4 << 30),
            "a bomb of 4 GiB that says it is small": bomb(4 << 30, 1000),
            "a bomb within the bounds": bomb(32 << 20, 32 << 20),
            "zeros": b"\0" * 100,
            "one zero": b"\0",
            "a compressed file": b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + bytes(range(256)),
            "letters, 900 kB of them": b"A" * 900_000,
            "no UTF-8": b"\xff\xfe\xfd no line \x80\x81",
            "half an object": b'{"message": "',
            "a deep object": b'{"a":' * 50_000,
            "a list": b"[1, 2, 3]",
            "chance": random.Random(1).randbytes(5000),
        }

    def test_poison_is_a_dead_letter_and_the_next_message_counts(self):
        batch = self.template()
        case = Case(self, "poison")
        agent, aggregator = case.agent(), case.aggregator()
        case.logs.write(200)
        case.settled()
        chance, expected = random.Random(2), {}
        with Producer(self.brokers) as producer, Consumer(self.brokers) as topic:
            for name, payload in self.poisons(batch).items():
                case.logs.write(4)
                producer.send(case.name, 0, payload)
                producer.flush()
                expected[name] = payload
            # What these mean is random: they may count for their own source, but must never hurt another.
            for _ in range(300):
                flipped = bytearray(batch)
                for _ in range(chance.randrange(1, 4)):
                    flipped[chance.randrange(5, len(flipped))] ^= 1 << chance.randrange(8)
                producer.send(case.name, 0, bytes(flipped), chance.choice([b"", b"key", None]) or b"")
            for nothing in (None, b""):
                producer.send(case.name, 0, nothing)
            producer.flush()
            case.logs.write(1000)
            offsets = {payload: offset for offset, _, payload in topic.messages(case.name, 0)}
        truth = lambda: {key: value for key, value in case.table().items() if key[0].startswith("poison-")}
        await_fact(lambda: truth() == dict(case.logs.truth), "each line of the others counted once")
        case.committed()
        self.assertEqual(truth(), dict(case.logs.truth))
        letters = {int(offset): (topic, partition, reason)
                   for topic, partition, offset, reason in case.sql("SELECT topic, partition_id, message_offset, reason FROM dead_letter")}
        for name, payload in expected.items():
            with self.subTest(name):
                topic, partition, reason = letters[offsets[payload]]
                self.assertEqual((topic, partition), (case.name, "0"))
                self.assertNotEqual(reason, "")
        own = case.sql("SELECT COUNT(*) FROM source WHERE path LIKE '%poison-_.log'")
        self.assertEqual(own, [[str(len(case.logs.files))]])
        self.assertEqual([gap for gap in case.gaps() if gap[0].stem.startswith("poison-")], [])
        status = pathlib.Path(f"/proc/{aggregator.process.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])
        self.assertLess(peak, 1 << 20, "a bomb may not fill the memory: KiB at the peak")
        case.ended(aggregator, agent)


if __name__ == "__main__":
    unittest.main()
