"""The command ds-pi."""

import argparse
import json
import signal
import sys
from pathlib import Path

import numpy as np

from deepshare_pi import calibrate, frameworks
from deepshare_pi.images import InputError, check_writable, read_images, run_plain, write_text
from deepshare_pi.network import COMPUTED, MEASURED, Namespaces, Unavailable, parse_network
from deepshare_pi.parties import PartyError
from deepshare_pi.target_check import check_target


def numbers(text):
    return [float(number) for number in text.split(",")]


def positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")
    return int(text)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as ds-opt does."""

    def error(self, message):
        self.exit(1, f"ds-pi: error: {message}\n")


def parse(arguments):
    parser = Parser(prog="ds-pi", description="Private inference with models that ds-opt wrote.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run images through a model between real parties, and measure")
    run.add_argument("model", help="written by ds-opt --target=crypten or --target=spu")
    run.add_argument("--images", required=True, help=".npz, .npy, or MNIST's idx3-ubyte")
    run.add_argument("--mean", type=numbers, help="subtract this, a number a channel or one for all (bytes count as 0..1)")
    run.add_argument("--std", type=numbers, help="divide by this, a number a channel or one for all")
    run.add_argument("--count", type=positive, default=1, help="how many images (1)")
    run.add_argument("--batch", type=positive, default=1, help="images at once (1)")
    run.add_argument("--compare", help="the original, for the same target: run beside it")
    run.add_argument("--network", help="lan, wan or RTT,bandwidth such as 20ms,100Mbps: the time on that network, too")
    run.add_argument("--simulator", action="store_true", help="SPU's simulator: parties are threads, nothing is counted")
    run.add_argument("--json", help="write the figures here")
    model = commands.add_parser("calibrate", help="measure costs an element, and write a cost model for ds-opt")
    model.add_argument("-o", dest="output", required=True, help="the cost model's file")
    for command in (run, model):
        command.add_argument("--framework", choices=("crypten", "spu"), required=True)
        command.add_argument("--protocol", choices=sorted(frameworks.SPU_PROTOCOLS), help="SPU's protocol (semi2k)")
        command.add_argument("--field", type=int, choices=(32, 64, 128), help="bits of SPU's ring (64)")
    options = parser.parse_args(arguments)
    if options.command == "run" and (options.mean is None) != (options.std is None):
        parser.error("--mean and --std go together")
    if options.framework == "crypten" and (options.protocol or options.field):
        parser.error("--protocol and --field go with --framework spu: CrypTen has one protocol and 64 bits")
    if options.command == "run" and options.simulator and (options.framework == "crypten" or options.network):
        parser.error("--simulator is SPU's, and has no network: it goes with --framework spu and without --network")
    options.protocol, options.field = options.protocol or "semi2k", options.field or 64
    return options


def show_progress(what):
    """A line that is written over, on a terminal only."""

    def show(done, total):
        if sys.stderr.isatty():
            print(f"\r{what}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show


def run_private(options, model, images, namespaces=None):
    show = show_progress(Path(model).name)
    if options.framework == "crypten":
        return frameworks.run_crypten(model, images, options.batch, show, namespaces)
    return frameworks.run_spu(
        model, images, options.batch, options.protocol, options.field, show, namespaces, options.simulator
    )


def run_on_network(options, model, images):
    """Outputs, runs, and how the seconds of each run on options.network came about (None without one)."""
    network = options.network
    if not network:
        return *run_private(options, model, images), None
    parties = 2 if options.framework == "crypten" else frameworks.SPU_PROTOCOLS[options.protocol]
    try:
        with Namespaces(parties, network) as namespaces:
            return *run_private(options, model, images, namespaces), MEASURED
    except Unavailable as reason:
        if options.model == str(model):  # the last one: once is enough
            print(f"ds-pi: note: no network can be shaped by tc netem here ({reason}): times are {COMPUTED}", file=sys.stderr)
    outputs, runs = run_private(options, model, images)
    for run in runs:
        run.seconds += network.seconds(run)
    return outputs, runs, COMPUTED


def summarise(options, model, images, labels, plain):
    """Runs `model` privately; the figures of an image, beside the outputs in the clear."""
    outputs, runs, how = run_on_network(options, model, images)
    # The first run of a protocol may hold a set-up; the others say what an image costs.
    usual = runs[1:] or runs
    is_classifier = outputs.ndim == 2 and outputs.shape[1] > 1
    answer, plain_answer = (outputs.argmax(1), plain.argmax(1)) if is_classifier else (None, None)
    labels = labels if is_classifier else None
    return {
        "model": str(model),
        "images": len(images),
        "batch": options.batch,
        **({} if options.simulator else traffic(runs, usual)),
        "seconds": sum(run.seconds for run in usual) / sum(run.images for run in usual),
        "time": "simulated in one process" if options.simulator else how or "measured over loopback",
        "agree": int((answer == plain_answer).sum()) if is_classifier else None,
        "largest_difference": float(np.abs(outputs - plain).max()),
        "correct": None if labels is None else int((answer == labels).sum()),
        "plain_correct": None if labels is None else int((plain_answer == labels).sum()),
    }


def traffic(runs, usual):
    """Bytes of an image, rounds, and both by kind."""
    count = sum(run.images for run in usual)
    kinds = {
        kind: {
            "bytes": sum(run.kinds.get(kind, {}).get("bytes", 0) for run in usual) / count,
            "rounds": max(run.kinds.get(kind, {}).get("rounds", 0) for run in usual),
            "seconds": sum(run.kinds.get(kind, {}).get("seconds", 0) for run in usual) / count,
        }
        for kind in frameworks.KINDS
    }
    return {
        "bytes": sum(run.bytes for run in usual) / count,
        "setup_bytes": runs[0].bytes - sum(run.bytes for run in usual) / len(usual) if len(runs) > 1 else None,
        "rounds": max(run.rounds for run in usual),
        "kinds": kinds,
    }


def print_table(figures):
    """One column a model, and what was saved if there are two."""
    rows = []
    if "bytes" in figures[0]:
        rows.append(("bytes an image", lambda f: f"{f['bytes']:,.0f}", "bytes"))
        for kind in frameworks.KINDS:
            rows.append((f"  {kind}", lambda f, kind=kind: f"{f['kinds'][kind]['bytes']:,.0f}", None))
        if figures[0]["setup_bytes"] is not None:
            rows.append(("bytes of set-up", lambda f: f"{f['setup_bytes']:,.0f}", None))
        rows.append(("rounds", lambda f: f"{f['rounds']:,}", "rounds"))
    rows.append(("seconds an image", lambda f: f"{f['seconds']:.2f}", "seconds"))
    if figures[0]["agree"] is not None:
        rows.append(("top-1 as in the clear", lambda f: f"{f['agree']} of {f['images']}", None))
    rows.append(("largest difference", lambda f: f"{f['largest_difference']:.4f}", None))
    if figures[0]["correct"] is not None:
        rows.append(("top-1", lambda f: f"{f['correct']} of {f['images']}", None))
        rows.append(("top-1 in the clear", lambda f: f"{f['plain_correct']} of {f['images']}", None))
    names = ("original", "rewritten") if len(figures) == 2 else (Path(figures[0]["model"]).stem[:17],)
    print(f"{'':24}" + "".join(f"{name:>18}" for name in names))
    for title, text, key in rows:
        saved = f"{100 * (1 - figures[1][key] / figures[0][key]):10.1f} %" if key and len(figures) == 2 else ""
        print((f"{title:24}" + "".join(f"{text(f):>18}" for f in figures) + saved).rstrip())


def command_run(options):
    options.network = parse_network(options.network) if options.network else None
    if options.json:
        check_writable(options.json)
    images, labels = read_images(options.images, options.count, options.mean, options.std)
    if len(images) < options.count:
        print(f"ds-pi: note: {options.images} has no more than {len(images)} images", file=sys.stderr)
    if len(images) % options.batch:
        raise InputError(f"--batch {options.batch} does not divide the {len(images)} images, and every run has one shape")
    models = [model for model in (options.compare, options.model) if model]
    for model in models:  # all of them, before the first party starts
        check_target(model, options.framework)
    plain = [run_plain(model, images, options.batch) for model in models]
    figures = [summarise(options, model, images, labels, p) for model, p in zip(models, plain)]
    protocol = "crypten-64" if options.framework == "crypten" else f"{options.protocol}-{options.field}"
    where = ", simulated" if options.simulator else ""
    plural = "s" if len(images) > 1 else ""
    print(f"{options.framework} ({protocol}{where}), {len(images)} image{plural}, {options.batch} at once")
    if len(images) == options.batch and not options.simulator:
        print("one run: the set-up of the protocol, where it has one, is in its bytes; a second run (--count) shows it apart")
    if options.network:
        print(f"seconds on {options.network}: {figures[0]['time']}")
    print_table(figures)
    if options.json:
        result = {"framework": options.framework, "protocol": protocol, "models": figures}
        if options.network:
            result["network"] = {"round_trip": options.network.round_trip, "bytes_per_second": options.network.rate}
        write_text(options.json, json.dumps(result, indent=1) + "\n")


def terminate(*_):
    """Parties, folders and namespaces go as on any way out; a second signal does not stop that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main(arguments=None):
    options = parse(arguments)
    signal.signal(signal.SIGTERM, terminate)
    try:
        if options.command == "run":
            command_run(options)
        else:
            check_writable(options.output)
            calibrate.write_model(options.framework, options.protocol, options.field, options.output)
    except (InputError, PartyError, OSError, ValueError, NotImplementedError) as error:
        print(f"ds-pi: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("ds-pi: interrupted", file=sys.stderr)
        return 130
    return 0
