"""Upstreams: moto, which knows AWS, and a server that shows and sends exact bytes."""

import http.client
import socket
import threading

from .process import Process, clean_environment, eventually, free_port, tool


class Moto:
    """A moto server: an AWS in memory, account 123456789012."""

    URLS = set()

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.URLS.add(self.url)
        command = [tool("moto_server"), "-H", "127.0.0.1", "-p", self.port]
        self.process = Process(command, folder / "moto.log", clean_environment(MOTO_EC2_LOAD_DEFAULT_AMIS="false"))

    def start(self):
        self.process.spawn()
        eventually(self._answers, 60, every=0.1, what="moto answers")
        return self

    def _answers(self):
        assert self.process.alive(), f"moto ended while starting:\n{self.process.said()[-4000:]}"
        try:
            return self._post("/moto-api/reset")
        except OSError:
            return False

    def _post(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", path)
            return connection.getresponse().status == 200
        finally:
            connection.close()

    def reset(self):
        """Forgets everything."""
        assert self._post("/moto-api/reset")


class Seen:
    """One request as it arrived, byte for byte."""

    def __init__(self, head):
        line, *fields = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = line.split(" ")
        self.headers = [tuple(part.strip() for part in field.split(":", 1)) for field in fields]
        self.body = b""
        self.chunk_sizes = []

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[0] if values else None


class Wire:
    """One end of a connection, read by heads, bodies and bytes."""

    def __init__(self, connection):
        self.socket = connection
        self.buffer = b""

    def _more(self):
        data = self.socket.recv(256 * 1024)
        self.buffer += data
        return bool(data)

    def head(self):
        """The next head without its empty line, or None at the end."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self._more():
                raise ConnectionError(f"ended {size - len(self.buffer)} bytes early")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def line(self):
        while b"\r\n" not in self.buffer:
            if not self._more():
                raise ConnectionError("ended inside a line")
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def request(self):
        """The next request with its body, or None at the end."""
        head = self.head()
        if head is None:
            return None
        seen = Seen(head)
        self.body_of(seen)
        return seen

    def body_of(self, seen):
        if (seen.header("transfer-encoding") or "").lower() == "chunked":
            while True:
                size = int(self.line().split(b";")[0], 16)
                if size == 0:
                    break
                seen.chunk_sizes.append(size)
                seen.body += self.exactly(size)
                self.exactly(2)
            while trailer := self.line():
                seen.headers.append(tuple(part.strip() for part in trailer.decode("latin-1").split(":", 1)))
        else:
            seen.body = self.exactly(int(seen.header("content-length") or 0))

    def send(self, data):
        self.socket.sendall(data)


class Stage:
    """A server on a port of its own that plays `scene(wire)` on every connection, each in a thread."""

    def __init__(self, scene):
        self.scene = scene
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.seen = []
        self.errors = []
        self.lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _play(self, connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.scene(Wire(connection), self)
            except (ConnectionError, TimeoutError):
                pass
            except Exception as error:  # shown by the test that asks for `errors`
                self.errors.append(error)

    def saw(self, request):
        with self.lock:
            self.seen.append(request)

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def answering(response):
    """A scene: keeps every request and gives the same bytes (or what `response(seen)` gives) for each."""

    def scene(wire, stage):
        while (seen := wire.request()) is not None:
            stage.saw(seen)
            wire.send(response(seen) if callable(response) else response)

    return scene
