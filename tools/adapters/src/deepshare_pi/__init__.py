"""Runs models that ds-opt wrote (`--target=crypten`, `--target=spu`) in frameworks for private inference.

    from deepshare_pi import crypten_adapter, spu_adapter
    module = crypten_adapter.load("out.onnx")          # a crypten.nn module, not yet encrypted
    program = spu_adapter.load("out.onnx", shape)      # a jax function, its secret weights, its input's shape

The command `ds-pi` (docs/frameworks.md) runs them between real parties and measures what they send.
"""
