"""With acks below all, the leader dies: the gaps say exactly what was lost."""

import os
import signal
import unittest

from topic_parts import Case, Shared
from weir_parts import await_fact, part


class Acks(Shared):
    brokers_count = 3

    def in_sync(self, case):
        """Waits until each broker has the whole topic, and returns the leader."""
        return await_fact(lambda: next((leader for leader, replicas in case.described() if replicas == {1, 2, 3}), None), "all are in sync", 180)

    def signal(self, broker, number):
        os.kill(int((self.kafka_folder / str(broker) / "pid").read_text()), number)

    def lost_with_its_leader(self, name, acks):
        case = Case(self, name, files=3)
        agent, aggregator = case.agent(acks=acks), case.aggregator()
        case.logs.write(900)
        case.settled()
        leader = self.in_sync(case)

        # Certain loss: with acks = 1 only the leader has the lines, with acks = 0 it has not even read them.
        asleep = {1, 2, 3} - {leader} if acks == 1 else {leader}
        for broker in asleep:
            self.signal(broker, signal.SIGSTOP)
        case.logs.write(1200)
        await_fact(lambda: case.agent_metric("lines_shipped_total") == 2100, "the agent believes that they have arrived")
        part("kafka", "kill", self.kafka_folder, leader)
        for broker in asleep - {leader}:
            self.signal(broker, signal.SIGCONT)
        case.logs.write(300)
        case.accounted()
        # Not all 1200: a follower's socket held some when it fell asleep. And not only these: without acks
        # the producer may keep sending to a dead leader for a while.
        self.assertTrue(0 < case.lines_in_gaps() <= 1500, case.gaps())
        part("kafka", "restart", self.kafka_folder, leader)
        leader = self.in_sync(case)

        # Loss by chance: the leader dies while lines flow.
        with case.logs.flowing():
            before = case.counted()
            await_fact(lambda: case.counted() > before + 2000, "lines flow")
            part("kafka", "kill", self.kafka_folder, leader)
            before = case.counted()
            await_fact(lambda: case.counted() > before + 2000, "they flow through another")
        case.accounted()
        part("kafka", "restart", self.kafka_folder, leader)
        self.assertEqual({cause for *_, cause, _ in case.gaps()}, {0}, case.gaps())
        self.assertEqual(case.sql("SELECT * FROM dead_letter"), [])
        case.ended(aggregator, agent)

    def test_acks_of_the_leader_alone(self):
        self.lost_with_its_leader("leader", 1)

    def test_no_acks(self):
        self.lost_with_its_leader("none", 0)


if __name__ == "__main__":
    unittest.main()
