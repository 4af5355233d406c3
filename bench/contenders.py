"""The proxies that are compared, and the upstream they stand in front of. Each is started for one measurement."""

import http.client
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def need(*programs):
    """Installs what is missing from Debian's packages if we may, else says how."""
    packages = {"nginx": "nginx-light"}
    missing = [program for program in programs if not shutil.which(program)]
    if not missing:
        return
    install = ["apt-get", "install", "-y", "-qq", *(packages.get(program, program) for program in missing)]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    else:
        sys.exit(f"bench: missing {', '.join(missing)}; on Debian: sudo {' '.join(install)}")


def mitmdump():
    """mitmproxy's program in an environment of its own below the target folder, made when missing; None if that fails."""
    home = Path(binary()).resolve().parent.parent / "tools/mitmproxy"
    program = home / "bin/mitmdump"
    if not program.exists():
        print("installing mitmproxy", flush=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", home], check=True, capture_output=True)
            subprocess.run([home / "bin/pip", "install", "-q", "--disable-pip-version-check", "mitmproxy"], check=True, capture_output=True)
        except (subprocess.CalledProcessError, OSError) as error:
            shutil.rmtree(home, ignore_errors=True)
            print(f"mitmproxy is left out: {error}")
            return None
    return program


def binary():
    path = os.environ.get("OPENTRAIL_BIN")
    if not path or not Path(path).exists():
        sys.exit("bench: OPENTRAIL_BIN names no binary; run it as: cargo xtask bench")
    return path


class Server:
    """A process with its children, on a port, pinned to some processors."""

    def __init__(self, name, command, port, cpus, folder, ready="/"):
        self.name, self.port, self.folder = name, port, Path(folder)
        self.log = self.folder / f"{name.replace(' ', '-')}.log"

        def pinned():
            os.setsid()
            os.sched_setaffinity(0, cpus)

        with self.log.open("wb") as log:
            self.child = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=pinned
            )
        deadline = time.monotonic() + 30
        while not self._answers(ready):
            if self.child.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"bench: {name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def _answers(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except OSError:
            return False
        finally:
            connection.close()

    def pids(self):
        """The process and all that descend from it."""
        children = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                children.setdefault(int(fields[1]), []).append(int(entry.name))
        found, to_see = [], [self.child.pid]
        while to_see:
            pid = to_see.pop()
            found.append(pid)
            to_see += children.get(pid, [])
        return found

    def cpu(self):
        """Processor seconds of all its processes so far, user and system."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def resident(self):
        """Resident MiB of all its processes."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
        return total / 1024

    def counted(self, name):
        """A counter of OpenTrail's metrics; None for the others."""
        if not self.name.startswith("opentrail"):
            return None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/_opentrail/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((name + " ", name + "{")))

    def stop(self):
        for pid in self.pids():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        self.child.wait()


class Directly:
    """No proxy at all: the upstream itself, for latencies."""

    def __init__(self, port):
        self.name, self.port = "directly", port

    def cpu(self):
        return 0.0

    def resident(self):
        return 0.0

    def counted(self, _):
        return None

    def stop(self):
        pass


NGINX = """
daemon off; worker_processes {workers}; worker_rlimit_nofile {files}; pid {folder}/{name}.pid; error_log {folder}/{name}.err warn;
events {{ worker_connections {files}; }}
http {{
  client_body_temp_path {folder}/{name}-1; proxy_temp_path {folder}/{name}-2; fastcgi_temp_path {folder}/{name}-3;
  uwsgi_temp_path {folder}/{name}-4; scgi_temp_path {folder}/{name}-5;
  keepalive_requests 100000000; keepalive_timeout 300s; client_max_body_size 0; large_client_header_buffers 4 32k;
  {http}
}}
"""

# Everything that an access log can tell of a call, as JSON: the cheapest thing that could be called an audit trail.
LOG = """log_format calls escape=json '{"time":"$time_iso8601","from":"$remote_addr","method":"$request_method","uri":"$request_uri",'
    '"status":$status,"agent":"$http_user_agent","authorization":"$http_authorization","target":"$http_x_amz_target","in":$request_length,"out":$bytes_sent,"took":$request_time}';"""


def nginx(name, http_block, workers, port, cpus, folder):
    conf = Path(folder) / f"{name.replace(' ', '-')}.conf"
    conf.write_text(NGINX.format(workers=workers, files=resource.getrlimit(resource.RLIMIT_NOFILE)[0], folder=folder, name=name.replace(" ", "-"), http=http_block))
    return Server(name, ["nginx", "-c", conf, "-p", folder], port, cpus, folder)


def upstream(call, cpus, folder):
    """Answers every call as `call` says, as fast as nginx can."""
    port = free_port()
    pieces = [call.answer[at : at + 2000] for at in range(0, len(call.answer), 2000)] or [""]  # nginx reads words of 4 KiB
    kept = " ".join(f"set $piece{number} '{piece}';" for number, piece in enumerate(pieces))
    block = f"""access_log off;
      server {{ listen 127.0.0.1:{port} backlog=4096; default_type {call.answer_type};
        location / {{ add_header x-amzn-RequestId BENCHREQUEST0000000000000000000000000000000000000001;
          {kept} return 200 "{''.join(f'$piece{number}' for number in range(len(pieces)))}"; }} }}"""
    return nginx("upstream", block, len(cpus), port, cpus, folder)


def proxy_nginx(name, target, workers, cpus, folder, logging=False):
    port = free_port()
    log = f"{LOG} access_log {folder}/calls.log calls;" if logging else "access_log off;"
    block = f"""{log}
      upstream behind {{ server 127.0.0.1:{target}; keepalive 256; keepalive_requests 100000000; }}
      server {{ listen 127.0.0.1:{port} backlog=4096;
        location / {{ proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
                      proxy_request_buffering off; proxy_max_temp_file_size 0; }} }}"""
    return nginx(name, block, workers, port, cpus, folder)


def proxy_haproxy(name, target, workers, cpus, folder):
    port = free_port()
    conf = Path(folder) / "haproxy.cfg"
    conf.write_text(
        f"""global
  nbthread {workers}
  maxconn 12000
  no strict-limits
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 300s
  timeout server 300s
frontend door
  bind 127.0.0.1:{port} backlog 4096
  default_backend behind
backend behind
  server one 127.0.0.1:{target}
"""
    )
    return Server(name, ["haproxy", "-f", conf, "-db"], port, cpus, folder)


# One line of JSON per call, as nginx writes it.
ADDON = """import json
log = open({log!r}, "w", buffering=1 << 16)
def response(flow):
    asked = flow.request
    log.write(json.dumps(dict(time=asked.timestamp_start, method=asked.method, uri=asked.path, status=flow.response.status_code,
        agent=asked.headers.get("user-agent"), authorization=asked.headers.get("authorization"), target=asked.headers.get("x-amz-target"))) + "\\n")
"""


def proxy_mitmproxy(name, target, workers, cpus, folder):
    port, script = free_port(), Path(folder) / "calls.py"
    script.write_text(ADDON.format(log=f"{folder}/calls.json"))
    settings = ["keep_host_header=true", "stream_large_bodies=1m", "flow_detail=0", "termlog_verbosity=error", f"confdir={folder}/mitmproxy"]
    command = [mitmdump(), "--mode", f"reverse:http://127.0.0.1:{target}", "--listen-host", "127.0.0.1", "-p", port, "-s", script]
    return Server(name, [*command, *(word for setting in settings for word in ("--set", setting))], port, cpus, folder)


def proxy_opentrail(name, target, workers, cpus, folder, audit="fail-closed"):
    port = free_port()
    data = Path(folder) / "data"
    shutil.rmtree(data, ignore_errors=True)
    command = [binary(), "serve", "--data-dir", data, "--listen", f"127.0.0.1:{port}", "--auth", "trust", "--account", "123456789012"]
    command += ["--audit", audit, "--upstream", f"dynamodb,iam,sqs,s3=http://127.0.0.1:{target}"]
    return Server(name, [*command, "--threads", workers], port, cpus, folder, ready="/_opentrail/ready")


CONTENDERS = {
    "directly": lambda name, target, *_: Directly(target),
    "nginx": proxy_nginx,
    "nginx json log": lambda *args: proxy_nginx(*args, logging=True),
    "haproxy": proxy_haproxy,
    "mitmproxy": proxy_mitmproxy,
    "opentrail fail-closed": proxy_opentrail,
    "opentrail fail-open": lambda *args: proxy_opentrail(*args, audit="fail-open"),
}


def start(name, target, workers, cpus, folder):
    return CONTENDERS[name](name, target, workers, cpus, folder)
