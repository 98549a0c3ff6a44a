#!/usr/bin/env python3
"""The NumPy code of docs/ops.md against what ONNX Runtime computes with the function bodies that ds-opt writes.

    ops_reference.py path/to/ds-opt

A hand-written plan with every kind of channel is applied to a small model; then each DReLU and DReLUShare node is
evaluated by the documentation's code on the inputs that it had in ONNX Runtime, with functions and lowered, and the
whole model against the plan's meaning.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOMAIN = "ai.deepshare"
CHANNELS, SIZE = 6, 5  # 5: tiles of 2 x 2 are cut at the border

MODEL = f"""
<ir_version: 8, opset_import: ["" : 17]>
two_sites (float[N,{CHANNELS},{SIZE},{SIZE}] x, float[N,{CHANNELS},{SIZE},{SIZE}] z) => (float[N,{CHANNELS},{SIZE},{SIZE}] y) {{
  a = Relu(x)
  s = Sub(a, z)
  b = LeakyRelu<alpha=0.25>(s)
  y = Add(b, a)
}}
"""
A = [dict(site=0, channel=0, on=1, off=0), dict(site=0, channel=0, on=0.75, off=-0.5),
     dict(site=0, channel=1, block=2, on=1, off=0), dict(slope=0.5), dict(site=0, channel=4, on=1, off=0),
     dict(site=0, channel=4, on=0, off=1)]
B = [dict(site=1, channel=0, on=1, off=0.25), dict(site=0, channel=0, on=1.5, off=0.125), dict(slope=0),
     dict(site=0, channel=1, block=2, on=-1, off=0), dict(site=1, channel=5, on=1, off=-1),
     dict(site=0, channel=5, on=2, off=0)]


def documented():
    """The functions of the documentation's Python block."""
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs/ops.md").read_text(), re.S).group(1)
    functions = {}
    exec(block, functions)
    return functions["drelu"], functions["drelu_share"]


def run(model, feeds, outputs):
    """The values `outputs` of a model in ONNX Runtime, by name."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in outputs)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(outputs, session.run(list(outputs), feeds)))


def planned(plan, x, z, drelu):
    """What the plan means, from its own description."""
    inputs, outputs = [], []
    for site, channels in enumerate(plan):
        inputs.append(x if site == 0 else outputs[0] - z)
        out = np.empty_like(x)
        for c, channel in enumerate(channels):
            value = inputs[site][:, c]
            if "slope" in channel:
                out[:, c] = value * np.float32(channel["slope"])
                continue
            block = channel.get("block", 1)
            bits = drelu(inputs[channel["site"]][:, [channel["channel"]]], [block, block])[:, 0]
            bits = bits.repeat(block, 1).repeat(block, 2)[:, :SIZE, :SIZE]
            out[:, c] = value * np.where(bits, np.float32(channel["on"]), np.float32(channel["off"]))
        outputs.append(out)
    return outputs[1] + outputs[0]


def attributes(node):
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def main():
    drelu, drelu_share = documented()
    rng = np.random.default_rng(0)
    feeds = {name: rng.standard_normal((3, CHANNELS, SIZE, SIZE)).astype(np.float32) for name in ("x", "z")}
    feeds["x"][0, 0, 0] = 0  # the comparison is strict
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(onnx.parser.parse_model(MODEL), folder / "model.onnx")
        sites = [dict(name=name, spatial=[SIZE, SIZE], channels=plan) for name, plan in (("a", A), ("b", B))]
        (folder / "plan.json").write_text(json.dumps(dict(format="deepshare-plan", version=1, model="", note="", sites=sites)))
        for name, option in (("shared", []), ("lowered", ["--target=onnx"]), ("spu", ["--target=spu"])):
            subprocess.run([sys.argv[1], folder / "model.onnx", "--plan", folder / "plan.json", *option,
                            "-o", folder / f"{name}.onnx"], check=True, stdout=subprocess.DEVNULL)
        shared, lowered, spu = (onnx.load(folder / f"{name}.onnx") for name in ("shared", "lowered", "spu"))

    nodes = [node for node in shared.graph.node if node.domain == DOMAIN]
    assert {node.op_type for node in nodes} == {"DReLU", "DReLUShare"}, "the plan leaves both operators"
    assert any(len(node.input) > 2 for node in nodes), "a site takes masks from two places"
    names = {name for node in nodes for name in [*node.input, *node.output]} - set(feeds)
    values = feeds | run(shared, feeds, sorted(names))
    for node in nodes:
        inputs = [values[name] for name in node.input]
        expected = (drelu if node.op_type == "DReLU" else drelu_share)(*inputs, **attributes(node))
        np.testing.assert_array_equal(values[node.output[0]], expected, err_msg=f"node {node.name or node.output[0]}")

    expected = planned((A, B), feeds["x"], feeds["z"], drelu)
    for name, model in (("with functions", shared), ("lowered", lowered), ("for SPU", spu)):
        assert name == "with functions" or not any(node.domain for node in model.graph.node), "lowered leaves standard operators"
        np.testing.assert_allclose(run(model, feeds, ["y"])["y"], expected, rtol=1e-6, atol=1e-6, err_msg=name)
    print(f"{len(nodes)} nodes and all forms of the model agree with docs/ops.md")


if __name__ == "__main__":
    main()
