#!/usr/bin/env python3
"""What recording costs: OpenTrail against nginx, HAProxy and mitmproxy, same upstream, same load, one run.

Run it as `cargo xtask bench`. README.md beside this file tells how to read the figures.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import contenders
import load

# Of nginx with a JSON access log; of nginx; in ms above no proxy; in KiB; in MiB.
BARS = {"cpu": 1.3, "speed": 0.9, "p99": 1.0, "connection": 40, "resident": 150}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["small", "streams", "idle"], help="only small calls, 64 MiB streams, or idle connections")
    parser.add_argument("--call", help="only small calls whose name has this in it, for example `S3`")
    parser.add_argument("--against", default=",".join(contenders.CONTENDERS), help="which proxies, separated by commas")
    parser.add_argument("--seconds", type=int, default=5, help="length of one measurement of small calls")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each; the median by processor time is shown")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pace-ms", type=int, default=20, help="mean pause of a connection between calls; 0: as fast as it goes")
    parser.add_argument("--streams", type=int, default=16, help="objects of 64 MiB in one measurement")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")
    parser.add_argument("--quick", action="store_true", help="short and rough: one round of everything")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.rounds, args.streams = 1, 1, 4
    names = [name.strip() for name in args.against.split(",")]
    if unknown := [name for name in names if name not in contenders.CONTENDERS]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(contenders.CONTENDERS)}")
    contenders.need("nginx", "haproxy", "wrk")
    if "mitmproxy" in names and not contenders.mitmdump():
        names.remove("mitmproxy")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if args.idle > files - 1000:
        args.idle = files - 1000
        print(f"only {args.idle} idle connections: the limit of open files is {files}")

    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("bench: needs two processors: one for the proxy, one for the load and the upstream")
    half = max(1, len(cpus) // 2)
    ours, theirs = set(cpus[:half]), set(cpus[half:])
    print(f"proxies on processors {sorted(ours)} with {half} worker(s); the load and the upstream on {sorted(theirs)}; load average {os.getloadavg()[0]:.2f}")

    folder = tempfile.mkdtemp(prefix="opentrail-bench-")

    def rounds(names, target, measure):
        """`measure(server)` for each proxy in turn, again and again, so that a busy minute of the machine hits everybody."""
        runs = {name: [] for name in names}
        for _ in range(args.rounds):
            for name in names:
                server = contenders.start(name, target, half, ours, folder)
                try:
                    runs[name].append(measure(server))
                finally:
                    server.stop()
        return runs

    figures = {}
    try:
        if args.only in (None, "small"):
            for what, call in load.SMALL.items():
                if args.call and args.call.lower() not in what.lower():
                    continue
                behind = contenders.upstream(call, theirs, folder)
                try:
                    runs = rounds(names, behind.port, lambda server: load.small(server, call, args.seconds, args.connections, theirs, folder, args.pace_ms))
                finally:
                    behind.stop()
                for run in runs.get("opentrail fail-closed", []):
                    run["syncs alone"] = load.syncs_alone(run["syncs"], run["written"], args.seconds, ours, folder)
                figures[what] = runs
                show_small(what, runs, args.pace_ms)
        if args.only in (None, "streams"):
            behind = load.Streams(theirs, folder)
            try:
                for method in ("GET", "PUT"):
                    figures[f"64 MiB {method}"] = rounds(names, behind.port, lambda server: load.streams(server, method, args.streams, theirs))
                    show_streams(method, figures[f"64 MiB {method}"])
            finally:
                behind.stop()
        if args.only in (None, "idle"):
            call = load.SMALL["DynamoDB GetItem, JSON"]
            behind = contenders.upstream(call, theirs, folder)
            try:
                args.rounds = 1  # memory does not depend on how busy the machine is
                proxies = [name for name in names if name != "directly"]
                figures["idle"] = rounds(proxies, behind.port, lambda server: load.idle(server, call, args.idle))
            finally:
                behind.stop()
            show_idle(figures["idle"], args.idle)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n")


def per_call(run):
    return run["cpu"] / run["requests"] * 1e6


def above(bar, unit):
    print(f"    ABOVE THE BAR of {bar} {unit}")


def show_small(label, runs, pace):
    print(f"\n{label}{'' if pace else ', as fast as it goes'}")
    print(f"  {'':<24}{'calls/s':>9}{'CPU us/call':>13}{'x json log':>12}{'p50 ms':>9}{'p99 ms':>9}{'added p99':>11}{'MiB':>6}{'errors':>8}{'recorded':>10}")
    middle = {name: sorted(tries, key=per_call)[len(tries) // 2] for name, tries in runs.items()}
    base = per_call(middle["nginx json log"]) if "nginx json log" in middle else None
    p99 = {name: statistics.median(run["p99"] for run in tries) for name, tries in runs.items()}
    for name, run in middle.items():
        cost, added = per_call(run), p99[name] - p99["directly"] if pace and "directly" in p99 else None
        print(
            f"  {name:<24}{run['requests'] / run['seconds']:>9.0f}{number(cost or None, 13, 1)}{number(cost / base if base and cost else None, 12)}{run['p50']:>9.2f}{p99[name]:>9.2f}"
            f"{number(added, 11)}{run['resident']:>6.0f}{run['errors']:>8}{recorded(run):>10}"
        )
        spread = [per_call(run) for run in runs[name]]
        if max(spread) > 1.2 * min(spread):
            print(f"    unsteady: {min(spread):.1f} to {max(spread):.1f} us/call; is the machine quiet?")
        if "syncs alone" in run:
            syncs = statistics.median(run["syncs alone"] / run["requests"] for run in runs[name]) * 1e6
            print(f"    {run['requests'] / run['syncs']:.1f} calls a sync; the syncs alone cost {syncs:.1f} us a call{f': {cost / (base + syncs):.2f} x a JSON log that syncs as often' if base else ''}")
        else:
            syncs = 0
        if name.startswith("opentrail") and base and cost > BARS["cpu"] * (base + syncs):
            above(BARS["cpu"], "x nginx with a JSON access log" + (" and as many syncs" if syncs else ""))
        if name == "opentrail fail-open" and added and added > BARS["p99"]:
            above(BARS["p99"], "ms added at p99")


def number(value, width, digits=2):
    return f"{value:>{width}.{digits}f}" if value is not None else f"{'-':>{width}}"


def recorded(run):
    return "-" if run.get("recorded") is None else f"{run['recorded'] / run['requests']:.0%}"


def show_streams(method, runs):
    print(f"\n64 MiB {method}, one after another")
    print(f"  {'':<24}{'MiB/s':>9}{'x nginx':>9}{'CPU s/GiB':>11}{'x nginx':>9}{'resident MiB':>14}")
    figures = {name: [statistics.median(run[key] for run in tries) for key in ("speed", "cpu")] for name, tries in runs.items()}
    base = figures.get("nginx")
    for name, (speed, cpu) in figures.items():
        resident = max(run["resident"] for run in runs[name])
        print(f"  {name:<24}{speed:>9.0f}{number(base and speed / base[0], 9)}{number(cpu or None, 11)}{number(cpu / base[1] if base and cpu else None, 9)}{resident:>14.0f}")
        if name.startswith("opentrail") and base and speed < BARS["speed"] * base[0]:
            print(f"    BELOW THE BAR of {BARS['speed']} x nginx's throughput")
        if name.startswith("opentrail") and resident > BARS["resident"]:
            above(BARS["resident"], "MiB resident")


def show_idle(runs, wanted):
    print(f"\n{wanted} idle connections after one call each")
    print(f"  {'':<24}{'held':>8}{'KiB each':>10}")
    for name, (run,) in runs.items():
        print(f"  {name:<24}{run['connections']:>8}{run['kib']:>10.1f}")
        if name.startswith("opentrail") and run["connections"] < wanted:
            print(f"    BELOW THE BAR of {wanted} connections")
        if name.startswith("opentrail") and run["kib"] > BARS["connection"]:
            above(BARS["connection"], "KiB for a connection")


if __name__ == "__main__":
    main()
