"""Calls written by hand, for when a client would be in the way: fast, odd, or broken on purpose."""

import datetime
import socket

from .opentrail import ANY_KEY

CLOUDTRAIL_TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."


def authorization(service, region="us-east-1", key=ANY_KEY[0], signed="host;x-amz-date"):
    """A header that says who calls what. Its signature is of nobody: `--auth trust` and moto do not look."""
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d")
    return f"AWS4-HMAC-SHA256 Credential={key}/{day}/{region}/{service}/aws4_request, SignedHeaders={signed}, Signature={'0' * 64}"


def amz_date():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def json_call(service, target, body=b"{}", **headers):
    """Headers and body of a call in the JSON protocol."""
    return {
        "Authorization": authorization(service),
        "X-Amz-Date": amz_date(),
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.1",
        **headers,
    }, body


def cloudtrail_call(operation, body=b"{}", **headers):
    return json_call("cloudtrail", CLOUDTRAIL_TARGET + operation, body, **headers)


def head(method, target, headers, version="HTTP/1.1"):
    """The bytes of a request head; `headers` is a dict or a list of pairs."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    lines = [f"{method} {target} {version}", *(f"{name}: {value}" for name, value in pairs)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Talk:
    """A plain connection to a port, to say anything."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def say(self, data):
        """Sends; a peer that has hung up already is no error here."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def finish(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def hear(self, limit=10 << 20):
        """Everything until the peer closes; None if it neither closes nor says anything in time."""
        heard = self.buffer
        try:
            while len(heard) < limit:
                data = self.socket.recv(65536)
                if not data:
                    return heard
                heard += data
        except TimeoutError:
            return heard or None
        except OSError:
            return heard
        return heard

    def until(self, mark):
        """Everything up to and with `mark`."""
        while mark not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"ended before {mark!r}: {self.buffer[:300]!r}")
            self.buffer += data
        index = self.buffer.index(mark) + len(mark)
        heard, self.buffer = self.buffer[:index], self.buffer[index:]
        return heard

    def exactly(self, size):
        while len(self.buffer) < size:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError(f"ended {size - len(self.buffer)} bytes early")
            self.buffer += data
        heard, self.buffer = self.buffer[:size], self.buffer[size:]
        return heard

    def response(self, to="GET"):
        """The next response: status, header pairs, body by its Content-Length or chunks."""
        first, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")[:-2]
        status = int(first.split(" ")[1])
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        named = {name.lower(): value for name, value in headers}
        if to == "HEAD" or status in (204, 304) or status < 200:
            body = b""
        elif named.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                body += self.exactly(size)
                self.exactly(2)
            self.until(b"\r\n")
        else:
            body = self.exactly(int(named.get("content-length", 0)))
        return status, headers, body

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
