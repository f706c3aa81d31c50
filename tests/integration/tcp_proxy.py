"""A network that can be cut: a TCP proxy on loopback."""

import contextlib
import socket
import struct
import threading


class Proxy:
    """Open: passes everything on. Held: nothing passes and nothing is lost, as on a network that drops all packets for a while.
    Cut: connections are reset, and new ones refused. Deaf: requests arrive, their answers do not."""

    def __init__(self, target_port, port=0, marker=b""):
        self.target_port, self.marker = target_port, marker
        self._changed = threading.Condition()
        self._state, self._ended, self._sockets = "open", False, set()
        self.waiting = 0  # bytes sent that do not pass
        self.waits = []  # per held connection: its last request, and whether it ever sent `marker`
        self._listener = self._listen(port)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _listen(port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        return listener

    def _set(self, state):
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def open(self):
        self._set("open")

    def hold(self):
        self._set("held")

    def deafen(self):
        self._set("deaf")

    def cut(self):
        self._set("cut")
        self.reset()

    def reset(self):
        """Ends all existing connections at once."""
        with self._changed:
            ends, self._sockets = self._sockets, set()
        for end in ends:
            self._reset(end)

    def close(self):
        self._ended = True
        self._set("cut")
        self.reset()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @staticmethod
    def _reset(end):
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RDWR)
        end.close()

    def _accept(self):
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._state == "cut":
                self._reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), timeout=10)
            except OSError:
                self._reset(client)
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self._sockets |= {client, server}
            threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source, target, answers):
        marked = False
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                marked = marked or (not answers and self.marker in data)
                wait = (data, marked and not answers)
                with self._changed:
                    self.waiting += 1
                    self.waits.append(wait)
                    self._changed.wait_for(lambda: self._state != "held" and not (answers and self._state == "deaf"))
                    self.waiting -= 1
                    self.waits.remove(wait)
                target.sendall(data)
        for end in (source, target):
            with self._changed:
                self._sockets.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
