#!/usr/bin/env python3
"""Converts networks of scikit-learn by skl2onnx: a producer that is not torch.

usage: sklearn_models.py scikit-learn FOLDER [NAME...] | sklearn_models.py scikit-learn --list
"""

import pathlib
import sys

NAMES = ("sklearn-mlp-classifier", "sklearn-mlp-regressor")


def convert(name):
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    random = np.random.default_rng(0)
    x = random.standard_normal((512, 20)).astype(np.float32)
    options = {"hidden_layer_sizes": (48, 32), "activation": "relu", "max_iter": 40, "random_state": 0}
    if name == "sklearn-mlp-classifier":
        network = MLPClassifier(**options).fit(x, (np.abs(x[:, :4]).sum(1) * 1.2).astype(int) % 5)
        # A converter's labels and dictionaries beside the probabilities are no numbers to compare.
        model = to_onnx(network, x[:1], target_opset=17, options={"zipmap": False})
        del model.graph.output[0]
        needed, kept = {model.graph.output[0].name}, []
        for node in reversed(model.graph.node):
            if needed & set(node.output):
                needed |= set(node.input)
                kept.insert(0, node)
        del model.graph.node[:]
        model.graph.node.extend(kept)
        return model
    return to_onnx(MLPRegressor(**options).fit(x, np.abs(x[:, :3]).sum(1)), x[:1], target_opset=17)


def main() -> int:
    if sys.argv[2] == "--list":
        print(*NAMES)
        return 0
    import skl2onnx
    import warnings
    warnings.simplefilter("ignore")
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "exporter").write_text(f"skl2onnx {skl2onnx.__version__}")
    for name in sys.argv[3:] or NAMES:
        (folder / f"{name}.onnx").write_bytes(convert(name).SerializeToString())
    return 0


if __name__ == "__main__":
    sys.exit(main())
