"""The logs of tests/e2e/chaos: written, rotated, and the truth of what was written."""

import gzip
import os
import random
import re
import shutil
import threading
import time
import traceback

SLOT_S = 10  # seconds of writing that share a site
TICK_S = 0.05
STATUSES = (200, 200, 200, 200, 200, 200, 204, 301, 304, 404, 500)


class Log:
    """One log: written, rotated, and the truth of what was written."""

    def __init__(self, folder, name, scheme, seed):
        self.name, self.scheme, self.random = name, scheme, random.Random(f"{seed}/{name}")
        self.path = folder / f"{name}.log"
        self.number, self.generation, self.rest = 0, 0, b""
        self.truth = {}  # (site, status) -> [requests, bytes]
        self.compressing = None
        self.reopen_at = None
        self.fd = self.open(self.path)

    @staticmethod
    def open(path):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def put(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def write(self, count, elapsed):
        """`count` lines; every other time the last one is torn, and its rest comes with the next."""
        site = f"{self.name}-g{self.generation}-t{int(elapsed // SLOT_S) * SLOT_S}"
        stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        bits, choose, truth, name, number = self.random.getrandbits, self.random.random, self.truth, self.name, self.number
        rows = {status: truth.setdefault((site, str(status)), [0, 0]) for status in set(STATUSES)}
        lines = []
        for number in range(number, number + count):
            status, sent = STATUSES[int(choose() * len(STATUSES))], bits(36)
            row = rows[status]
            row[0] += 1
            row[1] += sent
            lines.append(f'192.0.2.{number % 250} - - [{stamp}] "GET /{name}/{number} HTTP/1.1" {status} {sent} "-" "chaos/1.0" "-" {site} 0.{number % 1000:03d}\n')
        self.number += count
        data = self.rest + "".join(lines).encode()
        keep = self.random.randrange(1, 80) if lines and self.random.random() < 0.5 else 0
        self.rest = data[len(data) - keep:] if keep else b""
        self.put(data[:len(data) - keep])

    def flush(self):
        self.put(self.rest)
        self.rest = b""

    def rotate(self, now):
        """As logrotate does with delaycompress. A new generation begins where the writer continues."""
        if self.reopen_at is not None or (self.compressing and self.compressing.is_alive()):
            return
        family = {int(re.sub(r"\D", "", p.name[len(self.path.name):])): p for p in self.path.parent.glob(f"{self.path.name}.*")}
        for n in sorted(family, reverse=True):
            family[n].rename(self.path.with_name(family[n].name.replace(f".log.{n}", f".log.{n + 1}")))
        older = self.path.with_name(f"{self.path.name}.1")
        if self.scheme == "rename":
            self.path.rename(older)
            self.reopen_at = now + self.random.uniform(0.1, 3)
            if self.random.random() < 0.5:  # logrotate's create; otherwise the writer creates it
                os.close(self.open(self.path))
        else:
            self.flush()
            shutil.copyfile(self.path, older)
            os.truncate(self.path, 0)
            self.generation += 1
        if 1 in family:
            self.compressing = threading.Thread(target=self.compress, args=(self.path.with_name(f"{self.path.name}.2"),))
            self.compressing.start()

    def reopen(self):
        self.flush()
        os.close(self.fd)
        self.fd, self.reopen_at, self.generation = self.open(self.path), None, self.generation + 1

    @staticmethod
    def compress(path):
        """As gzip does: the .gz grows under its own name, next to the plain file."""
        packed_path = path.with_name(f"{path.name}.gz")
        with open(path, "rb") as plain, gzip.open(packed_path, "wb", compresslevel=1) as packed:
            shutil.copyfileobj(plain, packed, 1 << 20)
        times = path.stat()
        os.utime(packed_path, ns=(times.st_atime_ns, times.st_mtime_ns))
        path.unlink()

    def lines(self):
        """(number, site, status, bytes, file) of each line on disk."""
        pattern = re.compile(rb'"GET /[^/]*/(\d+) HTTP/1.1" (\d+) (\d+) .* (\S+) \S+$')
        for file in sorted(self.path.parent.glob(f"{self.path.name}*")):
            with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as text:
                for line in text:
                    found = pattern.search(line.rstrip(b"\n"))
                    yield int(found[1]), found[4].decode(), found[2].decode(), int(found[3]), file.name


class Writer(threading.Thread):
    def __init__(self, logs, rate, seed):
        super().__init__(daemon=True)
        self.logs, self.rate, self.random = logs, rate, random.Random(f"{seed}/rotations")
        self.over, self.failure, self.seconds, self.behind = threading.Event(), None, 0, 0
        self.rotations = 0

    def written(self):
        return sum(log.number for log in self.logs)

    def run(self):
        try:
            begin = time.monotonic()
            due = {log: begin + self.random.uniform(3, 10) for log in self.logs}
            last = begin
            while not self.over.wait(max(0, last + TICK_S - time.monotonic())):
                now = time.monotonic()
                span = min(now - last, 1)  # lines that a busy machine kept it from writing are not made up
                                           # for
                self.behind += now - last - span
                last = now
                for log in self.logs:
                    log.write(int(self.rate * span / len(self.logs)), now - begin)
                    if log.reopen_at is not None and now >= log.reopen_at:
                        log.reopen()
                    if now >= due[log]:
                        log.rotate(now)
                        self.rotations += 1
                        # One in four follows at once, while the previous rotation is still being read.
                        due[log] = now + (self.random.uniform(0.3, 2) if self.random.random() < 0.25 else self.random.uniform(5, 15))
            self.seconds = time.monotonic() - begin
            for log in self.logs:
                log.flush()
                if log.reopen_at is not None:
                    log.reopen()
                if log.compressing:
                    log.compressing.join()
        except Exception:
            self.failure = traceback.format_exc()
