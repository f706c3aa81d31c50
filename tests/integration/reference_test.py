"""The reference names every key that the programs read, and no other; the packaged files pass their check."""

import pathlib
import re
import unittest

from weir_parts import TOP, WeirTest

READS = re.compile(r'(?:\.(?:string|verbatim|boolean|integer|number|optional_number|duration|size|strings|string_map|text|secret)\(|read_choice\(\w+,)\s*"(\w+)"')


def keys_read(*sources):
    keys = set()
    for source in sources:
        keys |= set(READS.findall((TOP / source).read_text()))
    return keys


def keys_told(page):
    return set(re.findall(r"(?m)^\| `(\w+)` \|", (TOP / "docs/reference" / page).read_text()))


class Reference(WeirTest):
    def test_the_agents_page_has_each_key_and_no_other(self):
        read = keys_read("agent/config.cc", "common/kafka_connection.cc", "agent/format_table.cc") | {"include", "escape"}
        self.assertGreater(len(read), 30, read)
        self.assertEqual(keys_told("agent-config.md"), read)

    def test_the_aggregators_page_has_each_key_and_no_other(self):
        read = keys_read("aggregator/config.cc", "common/kafka_connection.cc", "agent/format_table.cc") | {"include", "escape"}
        self.assertGreater(len(read), 40, read)
        self.assertEqual(keys_told("aggregator-config.md"), read)

    def test_the_packaged_files_pass_their_check(self):
        for name in ("agent", "aggregator"):
            self.run_once(f"weir-{name}", "check", "--config", TOP / f"packaging/conf/{name}.toml")

    def test_what_is_commented_out_in_them_is_right_too(self):
        for name in ("agent", "aggregator"):
            text = (TOP / f"packaging/conf/{name}.toml").read_text()
            text = re.sub(r"(?m)^# (?=\w+ = |\[)", "", text)
            text = re.sub(r"(?m)^\[store\.mysql\](?:\n(?!\[).*)*\n", "", text)
            secret = self.folder / "secret"
            secret.write_text("pass word\n")
            text = re.sub(r'/etc/weir/[\w-]+-password', str(secret), text)
            config = self.folder / f"{name}.toml"
            config.write_text(text)
            self.run_once(f"weir-{name}", "check", "--config", config)


if __name__ == "__main__":
    unittest.main()
