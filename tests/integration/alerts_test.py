"""Alerts are sent by webhook, and SIGHUP reloads the configuration: the real program, a real HTTP server."""

import datetime
import json
import signal
import unittest
import urllib.request

from weir_parts import WeirTest, await_fact, free_port, part

RULE = """
[[rule]]
name = "{name}"
metric = "requests_per_second"
above = {above}
range = "60s"
site = "{site}"
"""
WEBHOOK = """
[[webhook]]
name = "pager"
url = "http://127.0.0.1:{port}/hook/s3cret"
headers = {{ Authorization = "Bearer tok3n" }}
"""


class Alerts(WeirTest):
    def setUp(self):
        super().setUp()
        self.log, self.config, self.store = self.folder / "access.log", self.folder / "weir.toml", self.folder / "weir.db"
        # Two hours with 120 requests in each minute, so that any evaluated minute is over the level.
        now = datetime.datetime.now(datetime.timezone.utc)
        with open(self.log, "w") as log:
            for minute in range(-10, 20):
                at = (now + datetime.timedelta(minutes=minute)).strftime("%d/%b/%Y:%H:%M:00 +0000")
                log.write(f'192.0.2.1 - - [{at}] "GET / HTTP/1.1" 200 10 "-" "-"\n' * 120)

    def receiver(self, *answers):
        folder = self.folder / "webhook"
        facts = part("webhook", "start", folder, *(word for status in answers for word in ("--answer", status)))
        self.addCleanup(part, "webhook", "stop", folder)
        return folder / "requests", int(facts["port"])

    def write(self, *parts):
        fresh = self.config.with_name("fresh.toml")
        fresh.write_text("".join(parts))
        fresh.rename(self.config)

    def start(self):
        self.port = free_port()
        return self.program("weir-aggregator", "local", "--config", self.config, "--store", self.store,
                            "--listen", f"127.0.0.1:{self.port}", self.log)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:  # 503: degraded
            return error.read().decode()
        except OSError:
            return ""

    def received(self, folder):
        return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"), key=lambda p: int(p.stem))]

    def reload(self, program):
        program.process.send_signal(signal.SIGHUP)

    def test_a_webhook_is_tried_until_it_is_taken_and_then_no_more(self):
        requests, port = self.receiver(500)
        self.write(RULE.format(name="busy", above=1, site=""), WEBHOOK.format(port=port))
        program = self.start()
        first, second = await_fact(lambda: (got := self.received(requests)) and len(got) == 2 and got, "it was tried twice")
        self.assertEqual([first["status"], second["status"]], [500, 200])
        self.assertEqual(first["body"], second["body"])
        self.assertEqual(first["headers"]["Weir-Delivery"], second["headers"]["Weir-Delivery"])
        self.assertEqual(second["path"], "/hook/s3cret")
        self.assertEqual(second["headers"]["Authorization"], "Bearer tok3n")
        body = json.loads(second["body"])
        self.assertEqual((body["version"], body["rule"], body["subject"], body["phase"]), (1, "busy", "", "firing"))
        self.assertEqual((body["value"], body["unit"], body["threshold"]), (2, "requests/s", 1))
        self.assertTrue(body["link"].startswith(f"http://127.0.0.1:{self.port}/?from="), body["link"])
        delivered = 'weir_aggregator_letters_delivered_total{channel="webhook"} 1\n'
        await_fact(lambda: delivered in self.get("/metrics"), "one delivery is counted")
        self.assertIn('weir_aggregator_outbox_letters{channel="webhook"} 0\n', self.get("/metrics"))
        self.assertEqual(len(self.received(requests)), 2)
        shown = program.output() + self.get("/health") + self.get("/api/v1/alerts") + self.store.read_bytes().decode("latin-1")
        self.assertIn("webhook pager: it answered 500", shown)
        self.assertNotIn("s3cret", shown)
        self.assertNotIn("tok3n", shown)

    def test_only_a_server_whose_certificate_is_trusted_gets_an_alert(self):
        folder = self.folder / "webhook"
        facts = part("webhook", "start", folder, "--tls")
        self.addCleanup(part, "webhook", "stop", folder)
        hook = '[[webhook]]\nname = "{}"\nurl = "https://127.0.0.1:{}/{}"\n'
        self.write(RULE.format(name="busy", above=1, site=""), hook.format("doubting", facts["port"], "doubting"),
                   hook.format("trusting", facts["port"], "trusting"), f'tls_ca = "{facts["ca"]}"\n')
        self.start()
        await_fact(lambda: self.received(folder / "requests"), "one who trusts the certificate sends")
        await_fact(lambda: "webhook doubting: SSL peer certificate" in self.get("/health"), "the other one says why not")
        self.assertEqual([request["path"] for request in self.received(folder / "requests")], ["/trusting"])

    def test_a_reload_takes_all_of_a_good_file_and_nothing_of_a_bad_one(self):
        requests, port = self.receiver()
        busy = RULE.format(name="busy", above=1, site="")
        self.write(busy, WEBHOOK.format(port=port))
        program = self.start()
        await_fact(lambda: len(self.received(requests)) == 1, "the alert fired")
        health = json.loads(self.get("/health"))
        self.assertEqual(health["status"], "ok", health)
        loaded = health["configuration"]["loaded_at"]

        # A mistake: the old rules stay, and the error names its place.
        self.write(busy, RULE.format(name="more", above=1, site=""), "abvoe = 1\n", WEBHOOK.format(port=port))
        self.reload(program)
        health = json.loads(await_fact(lambda: "refused" in (text := self.get("/health")) and text, "the refusal is shown"))
        self.assertEqual(health["status"], "degraded")
        self.assertEqual(health["configuration"]["loaded_at"], loaded)
        self.assertRegex(health["configuration"]["refused_because"], r"weir\.toml:15: rule\.abvoe: unknown key")
        self.assertIn("weir_aggregator_config_last_reload_successful 0\n", self.get("/metrics"))
        self.assertRegex(program.output(), r"weir\.toml:15: rule\.abvoe")
        self.assertIn("send SIGHUP again", program.output())

        # Correct, with a change that needs a restart: the new rule fires; the old one keeps firing and is not
        # announced again.
        self.write(busy, RULE.format(name="more", above=1, site=""), WEBHOOK.format(port=port), '[window]\nlength = "5m"\n')
        self.reload(program)
        await_fact(lambda: len(self.received(requests)) == 2, "the new rule fired")
        self.assertEqual([json.loads(r["body"])["rule"] for r in self.received(requests)], ["busy", "more"])
        self.assertEqual(json.loads(self.get("/health"))["status"], "ok")
        self.assertIn("weir_aggregator_config_last_reload_successful 1\n", self.get("/metrics"))
        self.assertIn("window.length changed and keeps its old value", program.output())
        await_fact(lambda: json.loads(self.get("/api/v1/alerts"))["firing"] == 2, "both fire")
        self.assertEqual(program.stop(), 0)


if __name__ == "__main__":
    unittest.main()
