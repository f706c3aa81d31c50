"""The targets of tests/e2e/chaos: programs of weir, brokers, the database and the link to it."""

import errno
import os
import pathlib
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from weir_parts import Faults, Program, part


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Target:
    """A target of faults. It runs its own threads; `well` says that it is ready for the next fault."""
    well = True

    def pid(self):
        raise NotImplementedError

    def signal(self, number):
        os.kill(self.pid(), number)


class Ours(Target):
    """An agent or an aggregator, restarted by its supervisor (watch()) as systemd would."""

    def __init__(self, world, kind, name, config):
        self.world, self.kind, self.name, self.config = world, kind, name, config
        self.program = None
        self.state = world.folder / f"{name}-state"  # for an agent
        self.folder = world.folder / "output" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.calls = Faults(self.folder)

    def start(self):
        self.program = Program(self.folder, self.kind, "run", "--config", self.config, prefix=self.calls.prefix)
        self.world.programs.append(self.program)

    def pid(self):
        return self.program.process.pid

    def kill(self):
        self.program.kill()

    def forget(self):
        """Kills it and deletes its registry: the aggregator's coverage must know what was counted."""
        self.kill()
        shutil.rmtree(self.state)

    def set_back(self):
        """Kills it and restores its registry from the backup of the last such fault (at first there is none)."""
        self.kill()
        backup, now = self.state.with_name(f"{self.name}-backup"), self.state.with_name(f"{self.name}-now")
        self.state.rename(now)
        if backup.exists():
            backup.rename(self.state)
        now.rename(backup)

    def fill_up(self, seconds):
        self.hurt_calls(f"write all {errno.ENOSPC} {self.state}/registry", seconds)

    def bad_disk(self, seconds):
        self.hurt_calls(f"read all {errno.EIO} {self.world.folder / self.name}/", seconds)

    def hurt_calls(self, line, seconds):
        self.calls.tell(line)
        self.world.over.wait(seconds)
        self.calls.tell()

    def stop(self):
        try:
            code = self.program.stop()
        except subprocess.TimeoutExpired:
            self.world.find(f"{self.name}: still running 60 s after SIGTERM: {self.program.log}")
            return self.program.kill()
        # A program that has printed nothing may not handle signals yet, and then dies from SIGTERM.
        begun = pathlib.Path(self.program.log).stat().st_size > 0
        if code != 0 and (begun or code != -signal.SIGTERM):
            self.world.find(f"{self.name}: ended with {code} after SIGTERM: {self.program.log}")

    def watch(self):
        code = self.program.process.poll()
        if code is None:
            return
        # While the store is away, a start exits with 7, and systemd starts it again.
        if code == 7 and not (self.world.database.well and self.world.link.well):
            self.world.restarts += 1
        else:
            self.world.find(f"{self.name}: ended by itself with {code}: {self.program.log}\n{self.program.output()[-1500:]}")
        self.start()


class Broker(Target):
    def __init__(self, folder, number):
        self.folder, self.number, self.name = folder, number, f"broker {number}"

    def pid(self):
        return int((self.folder / str(self.number) / "pid").read_text())

    def kill(self):
        part("kafka", "kill", self.folder, self.number)

    def start(self):
        part("kafka", "restart", self.folder, self.number)


class Database(Target):
    name = "mariadb"

    def __init__(self, folder):
        self.folder = folder
        self.facts = part("mariadb", "start", folder)

    def pid(self):
        return int((self.folder / "pid").read_text())

    def kill(self):
        part("mariadb", "kill", self.folder)

    def start(self):
        part("mariadb", "restart", self.folder)

    def tell(self, statements):
        subprocess.run(["mariadb", "--no-defaults", f"--socket={self.folder}/socket", "-u", "root", "-e", statements], check=True, timeout=60)

    def read_only(self, seconds):
        """Like a fail-over."""
        self.tell("SET GLOBAL read_only = 1")
        self.tell(f"DO SLEEP({seconds}); SET GLOBAL read_only = 0")

    def locked(self, seconds):
        """Like a backup: writers wait."""
        self.tell(f"FLUSH TABLES WITH READ LOCK; DO SLEEP({seconds}); UNLOCK TABLES")


class Link(Target):
    """The link between the aggregators and the store. Cutting it ends every connection in the middle of its
    current statement (including a COMMIT without its answer), and refuses new ones."""
    name = "link to mariadb"

    def __init__(self, port):
        self.to, self.pairs, self.open, self.over = port, {}, True, False
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listening.getsockname()[1]
        self.look = selectors.DefaultSelector()
        self.look.register(self.listening, selectors.EVENT_READ)
        threading.Thread(target=self.run, daemon=True).start()

    def kill(self):
        self.open = False

    def start(self):
        self.open = True

    def end(self, one):
        for side in (one, self.pairs.pop(one, None)):
            if side is not None:
                self.pairs.pop(side, None)
                self.look.unregister(side)
                side.close()

    def run(self):
        while not self.over:
            if not self.open:
                for one in list(self.pairs):
                    if one in self.pairs:
                        self.end(one)
            for key, _ in self.look.select(0.02):
                if key.fileobj is self.listening:
                    self.take()
                elif key.fileobj in self.pairs:
                    self.pass_on(key.fileobj)

    def take(self):
        client, _ = self.listening.accept()
        if not self.open:
            return client.close()
        try:
            server = socket.create_connection(("127.0.0.1", self.to), timeout=5)
        except OSError:
            return client.close()
        self.pairs[client], self.pairs[server] = server, client
        for side in (client, server):
            side.settimeout(30)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.look.register(side, selectors.EVENT_READ)

    def pass_on(self, side):
        try:
            data = side.recv(1 << 16)
            if data:
                return self.pairs[side].sendall(data)
        except OSError:
            pass
        self.end(side)
