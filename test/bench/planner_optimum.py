#!/usr/bin/env python3
"""Compares the planner's search with the exact optimum, on small problems cut from real statistics.

    python3 -m venv build/bench/venv && build/bench/venv/bin/pip install highspy==1.15.1 numpy
    build/bench/venv/bin/python test/bench/planner_optimum.py [--model resnet20-cifar10] [--seconds 60]

Each problem is a few channels of three neighbouring sites with a budget in DReLUs or in bytes. As an integer program:
every channel takes one option, an option with a gate needs that gate, the prices stay within the budget; HiGHS solves
it. Where HiGHS runs out of time its lower bound stands for the optimum. Prints a Markdown table; exits with 1 if a loss
is more than 1 % above the optimum.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import highspy
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def useful(options):
    """The options of a channel that are best for their gate and price, and better than those without a gate."""
    best = {}
    for gate, loss, price in options:
        key = (gate, price)
        best[key] = min(loss, best.get(key, loss))
    free = [(price, loss) for (gate, price), loss in best.items() if gate < 0]
    kept = []
    for (gate, price), loss in best.items():
        rivals = free if gate >= 0 else [f for f in free if f != (price, loss)]
        rivals = rivals + [(p, l) for (g, p), l in best.items() if g == gate and p < price]
        if not any(p <= price and l <= loss for p, l in rivals):
            kept.append((gate, loss, price))
    return kept


def solve(problem, seconds):
    """Lower bound and value of the optimum."""
    gates, channels = problem["gates"], [useful(c) for c in problem["channels"]]
    scale = problem["budget"]
    columns = [(gate, loss, price) for options in channels for gate, loss, price in options]
    n = len(gates) + len(columns)
    cost = np.array([0.0] * len(gates) + [loss for _, loss, _ in columns])
    unit = max(cost.max(), 1e-12)
    starts, indices, values, low, high = [], [], [], [], []

    def row(entries, lower, upper):
        starts.append(len(indices))
        for column, value in entries:
            indices.append(column)
            values.append(value)
        low.append(lower)
        high.append(upper)

    at = len(gates)
    entries = [(g, price / scale) for g, price in enumerate(gates)]
    for options in channels:
        row([(at + i, 1.0) for i in range(len(options))], 1, 1)
        by_gate = {}
        for i, (gate, _, price) in enumerate(options):
            if gate >= 0:
                by_gate.setdefault(gate, []).append(at + i)
            entries.append((at + i, price / scale))
        for gate, members in by_gate.items():
            row([(m, 1.0) for m in members] + [(gate, -1.0)], -highspy.kHighsInf, 0)
        at += len(options)
    row([(c, v) for c, v in entries if v], -highspy.kHighsInf, 1 + 1e-9)

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, len(low)
    lp.col_cost_ = cost / unit
    lp.col_lower_, lp.col_upper_ = np.zeros(n), np.ones(n)
    lp.row_lower_, lp.row_upper_ = np.array(low, dtype=float), np.array(high, dtype=float)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.array(starts + [len(indices)])
    lp.a_matrix_.index_, lp.a_matrix_.value_ = np.array(indices), np.array(values)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * len(gates) + [
        highspy.HighsVarType.kInteger if scale and any(p for _, _, p in columns) else highspy.HighsVarType.kContinuous
    ] * len(columns)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("time_limit", float(seconds))
    solver.setOptionValue("mip_rel_gap", 1e-6)
    solver.passModel(lp)
    solver.run()
    info = solver.getInfo()
    return info.mip_dual_bound * unit, info.objective_function_value * unit


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet20-cifar10")
    parser.add_argument("--seconds", type=float, default=60, help="time limit of HiGHS for a problem")
    parser.add_argument("--instances", help="JSON that planner-bench wrote before")
    options = parser.parse_args()
    if options.instances:
        text = pathlib.Path(options.instances).read_text()
    else:
        shared = ROOT.parent / "shared"
        command = [ROOT / "build/bin/planner-bench", "instances", shared / f"models/{options.model}.onnx",
                   shared / "data/cifar10-calib.npz", "512"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print("| channels | gates | unit | budget | found | optimum | gap % | HiGHS s |")
    print("|---|---|---|---|---|---|---|---|")
    worst = 0
    for problem in json.loads(text):
        start = time.monotonic()
        bound, value = solve(problem, options.seconds)
        gap = 100 * (problem["loss"] / bound - 1) if bound > 0 else 0
        worst = max(worst, gap)
        mark = "" if value - bound < 1e-5 * value else " (bound)"
        print(f"| {len(problem['channels'])} | {len(problem['gates'])} | {problem['unit']} | "
              f"{100 * problem['fraction']:g} % | {problem['loss']:.6f} | {bound:.6f}{mark} | {gap:.3f} | "
              f"{time.monotonic() - start:.1f} |", flush=True)
    print(f"\nlargest gap: {worst:.3f} %")
    sys.exit(bool(worst > 1))


if __name__ == "__main__":
    main()
