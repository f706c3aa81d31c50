"""The page in a real browser: the content of its charts, its address, Back, proxies in front of it."""

import json
import re
import socket
import sqlite3
import time
import unittest
import urllib.request

from browser import Browser
from weir_parts import TOP, WeirTest, await_fact, free_port

FORMAT = '$remote_addr - $remote_user [$time_local] "$request" $status $bytes_sent "$http_referer" "$http_user_agent" $host $request_time'

CLOCK = r"(\d{4}-\d\d-\d\d )?\d\d:\d\d"  # with the date if that is not today


def line(at_s, site="a.example", status=200, size=100):
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at_s))
    return f'192.0.2.1 - - [{stamp}] "GET / HTTP/1.1" {status} {size} "-" "-" {site} 0.010\n'


def iso(at_s):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


class Page(WeirTest):
    def setUp(self):
        super().setUp()
        self.now = int(time.time())
        self.log = self.folder / "access.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"

    def browser(self):
        browser = Browser()
        self.addCleanup(browser.close)
        return browser

    def serve(self, lines, *options):
        """Runs `local` on the lines; returns once it has counted them."""
        self.log.write_text("".join(lines))
        program = self.program("weir-aggregator", "local", "--store", self.folder / "weir.db", "--log-format", FORMAT,
                               "--listen", f"127.0.0.1:{self.port}", *options, self.log)
        await_fact(lambda: self.requests() == len(lines), "each line is counted")
        return program

    def api(self, path):
        return json.load(urllib.request.urlopen(f"{self.url}api/v1/{path}".rstrip("/"), timeout=30))

    def requests(self):
        try:
            return self.api("summary")["total"]["requests"]
        except OSError:
            return None

    def test_where_traffic_stopped_are_zeros(self):
        stopped = self.now - 3600
        self.serve([line(at) for at in range(stopped - 7200, stopped, 6)])
        await_fact(lambda: (self.api("agents")["complete_s"] or 0) > self.now - 300, "the agent reported")
        browser = self.browser()
        browser.go(f"{self.url}?from=-6h")
        label = browser.js("document.getElementById('chart-requests').getAttribute('aria-label')")
        self.assertRegex(label, r"2xx: lowest 0/s, highest 0\.1\d/s, last 0/s\.")
        first, last = map(int, browser.js("document.getElementById('chart-requests').dataset.steps").split(","))
        self.assertGreater(last, self.now - 900, "zeros up to what the agent has shipped")
        self.assertLessEqual(abs(first - (stopped - 7200)), 600, "nothing is known of what was before the log")
        begin, end = map(int, browser.js("document.getElementById('chart-requests').dataset.hatched").split(","))
        self.assertLess(last, end)
        self.assertLessEqual(last, begin)
        self.assertRegex(browser.text("#agents-line"), rf"^Data complete until {CLOCK}$")

    def test_what_a_silent_agent_may_still_bring_is_hatched(self):
        self.serve([line(at) for at in range(self.now - 7200, self.now, 6)])
        silent_s = self.now - 3600
        await_fact(lambda: self.api("agents")["agents"], "the agent reported")
        with sqlite3.connect(self.folder / "weir.db", timeout=30) as database:
            database.execute("INSERT INTO agent(agent_id, host, instance, last_heartbeat_ms, watermark_ms, lag_bytes) VALUES('web2', 'web2', 1, ?, ?, 0)",
                             (silent_s * 1000, silent_s * 1000))
        browser = self.browser()
        browser.go(f"{self.url}?from=-6h")
        chart = "document.getElementById('chart-requests')"
        begin, end = map(int, browser.js(f"{chart}.dataset.hatched").split(","))
        self.assertEqual(begin, silent_s // 60 * 60)
        self.assertGreaterEqual(end, self.now)
        self.assertGreater(int(browser.js(f"{chart}.dataset.steps").split(",")[1]), silent_s + 1800, "what came is drawn")
        self.assertFalse(browser.js("document.getElementById('hatched-note').hidden"))
        self.assertRegex(browser.text("#agents-line"), rf"^Data complete until {CLOCK}; web2 has sent no heartbeat since {CLOCK}$")
        browser.screenshot(TOP / "build/artefacts/page_hatched.png")
        browser.go(f"{self.url}?from=-6h&host={socket.gethostname()}")
        self.assertGreater(int(browser.js(f"{chart}.dataset.hatched").split(",")[0]), self.now - 300, "the other host's data is complete")

    def test_a_cut_step_is_neither_dip_nor_peak(self):
        self.serve([line(at) for at in range(self.now - 3600, self.now + 1200, 3)])  # extends past the test's
                                                                                     # end
        await_fact(lambda: (self.api("agents")["complete_s"] or 0) > self.now - 300, "the agent reported")
        browser = self.browser()
        for query in ("?from=-30m", f"?from={iso(self.now - 1807)}&to={iso(self.now - 611)}"):
            browser.go(self.url + query)
            label = browser.js("document.getElementById('chart-requests').getAttribute('aria-label')")
            self.assertRegex(label, r"2xx: lowest 0\.33/s, highest 0\.33/s, last 0\.33/s")

    def test_the_address_carries_what_is_shown_and_back_returns(self):
        begin = (self.now - 7200) // 60 * 60
        self.serve([line(begin + i, site) for i in range(120) for site in ("a.example", "b.example")])
        browser = self.browser()
        total = "Number(document.getElementById('total-requests').dataset.value)"
        browser.go(f"{self.url}?from={iso(begin)}&to={iso(begin + 60)}&site=a.example")
        self.assertEqual(browser.js(total), 60)
        self.assertEqual(browser.js("document.getElementById('site').value"), "a.example")
        self.assertNotEqual(browser.text("#range-text"), "")
        browser.js("document.querySelector('#ranges button:nth-child(2)').click()")
        browser.await_js(f"{total} === 120")
        self.assertEqual(browser.js("location.search"), "?from=-6h&site=a.example")
        browser.js("document.getElementById('site').value = ''; document.getElementById('site').dispatchEvent(new Event('change'))")
        browser.await_js(f"{total} === 240")
        browser.js("history.back()")
        browser.await_js(f"{total} === 120 && document.getElementById('site').value === 'a.example'")
        browser.js("history.back()")
        browser.await_js(f"{total} === 60")
        browser.go(f"{self.url}#range=6h&site=b.example")
        self.assertEqual(browser.js("location.search + location.hash"), "?from=-6h&site=b.example", "addresses of before")
        browser.go(f"{self.url}?from=yesterday")
        self.assertIn('"yesterday" is not a time', browser.text("#banner"))

    def test_the_focus_stays_while_the_page_asks_again(self):
        self.serve([line(self.now - 60 * i) for i in range(10)])
        browser = self.browser()
        browser.go(f"{self.url}?from=-1h")
        for selector in ("#ranges button", "#site", "#sites-table a"):
            browser.js(f"document.querySelector('{selector}').focus()")
            browser.refresh()
            self.assertTrue(browser.js(f"document.activeElement === document.querySelector('{selector}')"), selector)

    def test_behind_a_proxy_with_a_path_and_what_it_answers_instead(self):
        dead = free_port()
        nginx_folder = self.folder / "nginx"
        nginx_folder.mkdir()
        (nginx_folder / "locations-proxy.conf").write_text(f"""
            location /weir/ {{ proxy_pass {self.url}; }}
            location /gone/ {{ proxy_pass {self.url}; }}
            location /gone/api/ {{ proxy_pass http://127.0.0.1:{dead}; }}
            location /login/ {{ proxy_pass {self.url}; }}
            location /login/api/ {{ return 302 /sign-in; }}
            location /sign-in {{ default_type text/html; return 200 "<html>Who are you?</html>"; }}
            location /refused/ {{ proxy_pass {self.url}; }}
            location /refused/api/ {{ default_type text/html; return 401 "<html>No</html>"; }}
            """)
        nginx = self.nginx()
        self.serve([line(self.now - 60 * i) for i in range(10)])
        browser = self.browser()
        front = f"http://127.0.0.1:{nginx.port}"
        browser.go(f"{front}/weir/?from=-1h")
        self.assertEqual(browser.js("document.body.dataset.state"), "ready", browser.text("#banner"))
        self.assertEqual(browser.js("document.getElementById('total-requests').dataset.value"), "10")
        browser.js("document.querySelector('#sites-table a').click()")
        browser.await_js("location.search === '?from=-1h&site=a.example'")
        self.assertEqual(browser.js("location.pathname"), "/weir/")
        for path, words in (("gone", "cannot reach it (502 Bad Gateway)"), ("login", "probably a proxy's login page"),
                            ("refused", "refused the request (401 Unauthorized)")):
            browser.go(f"{front}/{path}/")
            self.assertIn(words, browser.text("#banner"))
            self.assertNotIn("JSON", browser.text("#banner"))

    def test_an_alert_links_to_what_it_is_about(self):
        config = self.folder / "rules.toml"
        config.write_text('[[rule]]\nname = "busy"\nmetric = "requests_per_second"\nabove = 0.01\nrange = "5m"\nsite = "*"\n')
        self.serve([line(at) for at in range(self.now - 1800, self.now, 6)], "--config", config)
        await_fact(lambda: self.api("alerts")["firing"] > 0, "the rule fires")
        alert = next(alert for alert in self.api("alerts")["alerts"] if alert["subject"] == "a.example")
        browser = self.browser()
        browser.go(f"{self.url}?from=-6h")
        self.assertRegex(browser.js("document.title"), r"^\(\d\) weir$")
        link = browser.js("[...document.querySelectorAll('#alerts-table tr')].find((r) => r.innerText.includes('a.example')).querySelector('a').href")
        self.assertIn(f"?from={iso(alert['since_s'] - 3600)}&to=".replace(":", "%3A"), link)
        self.assertIn("site=a.example", link)
        browser.go(link)
        self.assertEqual(browser.js("document.body.dataset.state"), "ready", browser.text("#banner"))
        self.assertEqual(browser.js("document.getElementById('site').value"), "a.example")
        self.assertNotEqual(browser.js("document.getElementById('total-requests').dataset.value"), "0")

    def test_the_alert_history_of_the_range(self):
        self.serve([line(self.now - 60)])
        with sqlite3.connect(self.folder / "weir.db", timeout=30) as database:
            for number, (at_s, state) in enumerate(((self.now - 7200, "firing"), (self.now - 1800, "firing"), (self.now - 600, "ok")), 1):
                database.execute("INSERT INTO alert_history(at_s, id, rule_name, subject, state, value_text, severity, description) VALUES(?, ?, 'busy', 'a.example', ?, '12.5', 'warning', '12.5 requests per second')",
                                 (at_s, number, state))
        browser = self.browser()
        browser.go(f"{self.url}?from=-1h")
        rows = browser.js("[...document.querySelectorAll('#alert-history-table tbody tr')].map((r) => r.innerText)")
        self.assertEqual([row.split("\t")[1:] for row in rows], [[state, "busy", "a.example", "12.5", "12.5 requests per second"] for state in ("ok", "firing")])
        browser.js("document.querySelector('#alert-history-table a').click()")
        browser.await_js(f"location.search.includes('{iso(self.now - 4200)}'.replaceAll(':', '%3A'))")
        browser.go(f"{self.url}?from=-1h&site=b.example")
        self.assertTrue(browser.js("document.getElementById('alert-history').hidden"))

    def test_the_reference_has_each_route_of_the_api(self):
        self.serve([line(self.now - 60)])
        page = (TOP / "docs/reference/api.md").read_text()
        headings = {}
        for paths, parameters in re.findall(r"(?m)^## ((?:`GET [^`]+`(?:, )?)+)(?: — (.+))?$", page):
            for path in re.findall(r"`GET ([^`]+)`", paths):
                headings[path] = set(re.findall(r"`(\w+)`", parameters))
        routes = {route["path"]: set(filter(None, route["parameters"].split(", "))) for route in self.api("")["routes"]}
        self.assertEqual(headings, {path: parameters for path, parameters in routes.items() if path.startswith("/api/v1/")})
        for path in set(routes) - set(headings):
            self.assertIn(f"`{path}`", page)

    def test_numbers_tell(self):
        self.serve([line(self.now - 60 * i, status=500 if i < 10 else 200) for i in range(600)])
        browser = self.browser()
        browser.go(self.url)
        numbers = browser.js("""import("./format.js").then((f) => ({
            rates: [0, 0.04, 0.0028, 0.5, 1.25, 1234].map(f.rate), sizes: [999, 1000, 1500000].map(f.bytes),
            red: [[9, 10], [10, 1001], [10, 1000], [0, 0]].map(([failed, all]) => f.tooMany5xx(failed, all)) }))""")
        self.assertEqual(numbers["rates"], ["0/s", "0.04/s", "0.0028/s", "0.5/s", "1.25/s", "1.23k/s"])
        self.assertEqual([re.sub(r"\s", " ", size) for size in numbers["sizes"]], ["999 B", "1 kB", "1.5 MB"])
        self.assertEqual(numbers["red"], [False, False, True, False])
        self.assertTrue(browser.js("document.getElementById('share-5xx').classList.contains('bad')"), "10 of 600")
        self.assertEqual(browser.js("[...document.querySelectorAll('figure .chart')].filter((c) => !c.getAttribute('aria-label')).length"), 0)


if __name__ == "__main__":
    unittest.main()
