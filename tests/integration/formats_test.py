"""Formats on the command line: found in nginx.conf, in a configuration, or in the log itself; and misspelt words."""

import unittest

from weir_parts import WeirTest

RULES = """
[[rule]]
name = "busy"
metric = "requests_per_second"
above = 0.5
range = "60s"
"""
DAY = r"""
[format.day]
regex = '(?P<time>\S+ \S+) (?P<remote_addr>\S+) (?P<status>\d+) (?P<bytes_sent>\d+)'
time = "%Y/%m/%d %T"
"""
CADDY = (
    '{"level":"info","ts":1700000000.1234567,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":'
    '"192.0.2.9","proto":"HTTP/2.0","method":"GET","host":"www.example.org","uri":"/x?y=1","headers":{"User-Agent":'
    '["curl/7.82.0"]}},"duration":0.25,"size":10900,"status":200}\n'
)


class Formats(WeirTest):
    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def local(self, *arguments, code=0):
        return self.run_once("weir-aggregator", "local", "--once", "--listen", "none", "--store", self.folder / "weir.db", *arguments, code=code)

    def test_what_discover_prints_is_a_part_of_the_configuration_that_runs(self):
        log = self.write("logs/shop.log", '192.0.2.1 e.example [24/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 10\n')
        conf = self.write("nginx.conf", f"""
http {{
  log_format shop '$remote_addr $host [$time_local] "$request" $status $bytes_sent';
  access_log {log} shop;
}}
""")
        found = self.run_once("weir-agent", "discover", "--nginx-conf", conf).stdout
        self.assertIn('include = ["conf.d/*.toml"]', found)
        self.write("conf.d/nginx.toml", found)
        config = self.write("agent.toml", f"""
include = ["conf.d/*.toml"]
[agent]
state_dir = "{self.folder}/state"
[output.stdout]
[metrics]
listen = ""
""")
        self.run_once("weir-agent", "check", "--config", config)
        self.assertIn(str(log), self.run_once("weir-agent", "status", "--plan", "--config", config).stdout)

    def test_a_single_box_reads_rules_without_source_and_store(self):
        log = self.write("in.log", '192.0.2.1 - - [12/Jul/2026:17:07:16 +0900] "GET /a HTTP/1.1" 200 55 "-" "UA"\n')
        self.assertIn("(none)", self.local("--config", self.write("rules.toml", RULES), log).stdout)

    def test_a_single_box_finds_the_formats_of_its_configuration(self):
        log = self.write("in.log", "2026/06/01 00:30:00 192.0.2.1 200 5\n")
        config = self.write("a.toml", RULES + DAY)
        self.local("--config", config, "--format", "day", log)
        self.assertIn("2026-06-01", self.run_once("weir-aggregator", "report", "traffic", "--store", self.folder / "weir.db", "--step", "1d").stdout)
        said = self.local("--config", config, "--format", "dya", log, code=2).stderr
        self.assertIn('did you mean "day"?', said)

    def test_caddys_log_is_recognised_and_has_its_site(self):
        done = self.local(self.write("caddy.log", CADDY))
        self.assertIn("format caddy: fits 1 of the first 1 lines", done.stderr)
        self.assertIn("www.example.org", done.stdout)

    def test_a_format_that_fits_no_line_ends_parse_with_12(self):
        log = self.write("other.log", "hello\nworld\n")
        self.assertIn("no line fits", self.run_once("weir-agent", "parse", log, code=12).stderr)

    def test_misspelt_words_have_a_hint(self):
        for program, words, hint in (
            ("weir-agent", ["pase"], "parse"),
            ("weir-agent", ["run", "--confg", "x"], "--config"),
            ("weir-agent", ["parse", "--fromat", "json"], "--format"),
            ("weir-agent", ["parse", "--format", "cady", "-"], "caddy"),
            ("weir-agent", ["registry", "lst"], "list"),
            ("weir-aggregator", ["lcoal", "x"], "local"),
            ("weir-aggregator", ["local", "--onec", "x"], "--once"),
            ("weir-aggregator", ["report", "trafic"], "traffic"),
        ):
            with self.subTest(words=words):
                self.assertIn(f'did you mean "{hint}"?', self.run_once(program, *words, code=2).stderr)


if __name__ == "__main__":
    unittest.main()
