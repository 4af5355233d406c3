#!/usr/bin/env python3
"""What recording costs: OpenTrail against nginx and HAProxy as plain proxies, same upstream, same load, one run.

Run it as `cargo xtask bench`. README.md beside this file tells how to read the figures.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import contenders
import load

BARS = {"cpu": 2.0, "resident": 150}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["small", "bulk"], help="only small calls, or only the GiB streams")
    parser.add_argument("--against", default=",".join(contenders.CONTENDERS), help="which proxies, separated by commas")
    parser.add_argument("--seconds", type=int, default=5, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each; the median by processor time is shown")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--pace-ms", type=int, default=20, help="mean pause of a connection between calls, for the paced load")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    names = [name.strip() for name in args.against.split(",")]
    if unknown := [name for name in names if name not in contenders.CONTENDERS]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(contenders.CONTENDERS)}")
    contenders.need("nginx", "haproxy", "wrk")

    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("bench: needs two processors: one for the proxy, one for the load and the upstream")
    half = max(1, len(cpus) // 2)
    ours, theirs = set(cpus[:half]), set(cpus[half:])
    print(f"proxies on processors {sorted(ours)} with {half} worker(s); wrk and the upstream on {sorted(theirs)}")

    folder = tempfile.mkdtemp(prefix="opentrail-bench-")
    figures = {}
    try:
        if args.only != "bulk":
            figures["small"] = measure_small(names, args, half, ours, theirs, folder)
        if args.only != "small":
            figures["bulk"] = measure_bulk(names, half, ours, theirs, folder, args.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n")


def measure_small(names, args, workers, ours, theirs, folder):
    behind = contenders.upstream(load.ANSWER, theirs, folder)
    figures = {}
    try:
        for what in load.SMALL:
            for pace in (None, args.pace_ms):
                runs = {name: [] for name in names}
                for _ in range(args.rounds):  # interleaved, so that a busy minute hits everybody
                    for name in names:
                        server = contenders.start(name, behind.port, workers, ours, folder)
                        try:
                            runs[name].append(load.small(server, what, args.seconds, args.connections, theirs, folder, pace))
                        finally:
                            server.stop()
                label = f"{what}, {'paced' if pace else 'as fast as it goes'}"
                figures[label] = runs
                show_small(label, runs)
    finally:
        behind.stop()
    return figures


def per_call(run):
    return run["cpu"] / run["requests"] * 1e6


def show_small(label, runs):
    print(f"\n{label}")
    print(f"  {'':<24}{'calls/s':>10}{'CPU us/call':>13}{'x nginx':>9}{'p50 ms':>9}{'p99 ms':>9}{'MiB':>7}{'errors':>8}{'recorded':>10}")
    base = None
    for name, tries in runs.items():
        tries = sorted(tries, key=per_call)
        run = tries[len(tries) // 2]
        cost = per_call(run)
        base = base or (cost if name == "nginx" else None)
        ratio = f"{cost / base:.2f}" if base else "-"
        recorded = "-" if run.get("recorded") is None else f"{run['recorded'] / run['requests']:.0%}"
        print(
            f"  {name:<24}{run['requests'] / run['seconds']:>10.0f}{cost:>13.1f}{ratio:>9}{run['p50']:>9.2f}{run['p99']:>9.2f}"
            f"{run['resident']:>7.0f}{run['errors']:>8}{recorded:>10}"
        )
        spread = [per_call(run) for run in tries]
        if max(spread) > 1.2 * min(spread):
            print(f"    unsteady: {min(spread):.1f} to {max(spread):.1f} us/call; is the machine quiet?")
        if name == "opentrail fail-closed" and base and cost > BARS["cpu"] * base:
            print(f"    ABOVE THE BAR of {BARS['cpu']} x nginx")


def measure_bulk(names, workers, ours, theirs, folder, rounds):
    behind = load.Bulk(theirs, folder)
    figures = {}
    try:
        for method in ("GET", "PUT"):
            runs = {name: [] for name in names}
            for _ in range(rounds):
                for name in names:
                    server = contenders.start(name, behind.port, workers, ours, folder, services=("s3",))
                    try:
                        runs[name].append(load.bulk(server, method, theirs))
                    finally:
                        server.stop()
            figures[method] = runs
            show_bulk(method, runs)
    finally:
        behind.stop()
    return figures


def show_bulk(method, runs):
    print(f"\n1 GiB {method}")
    print(f"  {'':<24}{'MiB/s':>10}{'x nginx':>9}{'CPU s':>9}{'x nginx':>9}{'resident MiB':>14}")
    base = None
    for name, tries in runs.items():
        speed = statistics.median(1024 / run["seconds"] for run in tries)
        cost = statistics.median(run["cpu"] for run in tries)
        resident = max(run["resident"] for run in tries)
        base = base or ((speed, cost) if name == "nginx" else None)
        faster, dearer = (f"{speed / base[0]:.2f}", f"{cost / base[1]:.2f}") if base else ("-", "-")
        print(f"  {name:<24}{speed:>10.0f}{faster:>9}{cost:>9.2f}{dearer:>9}{resident:>14.0f}")
        if name.startswith("opentrail") and resident > BARS["resident"]:
            print(f"    ABOVE THE BAR of {BARS['resident']} MiB")


if __name__ == "__main__":
    main()
