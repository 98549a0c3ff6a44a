"""DReLU, DReLUShare and today's ReduceSum for CrypTen's ONNX importer.

The importer looks an operator up by its name among the classes of `crypten.nn.module`, then in the table
`onnx_converter.ONNX_TO_CRYPTEN`; `register` sets three entries of that table. docs/ops.md specifies the operators.
"""

import crypten
import crypten.nn.onnx_converter as onnx_converter
import onnx
import torch
from crypten.mpc.primitives import ArithmeticSharedTensor
from crypten.mpc.primitives.beaver import IgnoreEncodings
from crypten.nn.module import Module


class DReLU(Module):
    """M = X > 0 as an arithmetic share of the integer 0 or 1, so that products with it need no truncation."""

    def __init__(self, block=None):
        super().__init__()
        self.block = block

    @staticmethod
    def from_onnx(attributes=None):
        return DReLU((attributes or {}).get("block"))

    def forward(self, x):
        return (self.tile_sums(x) if self.block else x).gt(0)

    def tile_sums(self, x):
        """The sum of each tile, which has the sign of its mean; zeros fill the tiles at the far border. All local."""
        for axis, size in enumerate(self.block, 2):
            tiles = -(-x.size(axis) // size)
            missing = tiles * size - x.size(axis)
            if missing:
                x = x.pad([0, 0] * (x.dim() - 1 - axis) + [0, missing])
            shape = list(x.size())
            x = x.reshape(shape[:axis] + [tiles, size] + shape[axis + 1 :]).sum(axis + 1)
        return x


class DReLUShare(Module):
    """Y = X * (M ? on : off), channel by channel, in one round.

    The channels that one mask channel gates are multiplied by it as a group: a product of secrets opens both operands,
    each hidden by a random value, and so the mask is opened once for its group instead of once for each channel.
    """

    def __init__(self, mask, on, off):
        super().__init__()
        self.mask = mask
        gated = torch.tensor([m >= 0 for m in mask])
        on, off = torch.tensor(on), torch.tensor(off)
        # y = x * plain + (x * bit) * gate
        self.plain = torch.where(gated, off, on)
        self.gate = torch.where(gated, on - off, torch.zeros_like(on))
        # Groups by their size: all of a size are one batch of products.
        channels_of = {}
        for channel, source in enumerate(mask):
            if source >= 0:
                channels_of.setdefault(source, []).append(channel)
        self.groups = {}
        for source, channels in channels_of.items():
            self.groups.setdefault(len(channels), []).append((source, channels))

    @staticmethod
    def from_onnx(attributes=None):
        return DReLUShare(attributes["mask"], attributes["on"], attributes["off"])

    def forward(self, inputs):
        x, masks = inputs[0], list(inputs[1:])
        if not self.groups:
            return x.mul(self.channelwise(self.plain, x))
        bits = masks[0] if len(masks) == 1 else crypten.cat(masks, dim=1)
        pairs, order = [], []
        spatial = list(x.size())[2:]
        for size, members in self.groups.items():
            sources = torch.tensor([source for source, _ in members])
            channels = torch.tensor([channels for _, channels in members]).reshape(-1)
            order.append(channels)
            pairs.append(
                (
                    x.index_select(1, channels).reshape([x.size(0), len(members), size] + spatial),
                    bits.index_select(1, sources).reshape([x.size(0), len(members), 1] + spatial),
                )
            )
        products = [p.reshape([x.size(0), -1] + spatial) for p in multiply_bits(pairs)]
        gated, order = crypten.cat(products, dim=1), torch.cat(order)
        gated = gated.index_select(1, torch.argsort(order))
        channels = torch.sort(order).values
        if len(channels) == x.size(1) and not self.plain.any() and (self.gate == 1).all():
            return gated
        y = x.mul(self.channelwise(self.plain, x))
        scaled = gated.mul(self.channelwise(self.gate[channels], x))
        return y.index_add(1, channels, scaled) if len(channels) < x.size(1) else y.add(scaled)

    @staticmethod
    def channelwise(values, x):
        return values.reshape([1, -1] + [1] * (x.dim() - 2))


class ReduceSum(Module):
    """ReduceSum with its axes as an attribute or, as from opset 13, a public operand."""

    def __init__(self, axes, keepdims):
        super().__init__()
        self.axes, self.keepdims = axes, keepdims

    @staticmethod
    def from_onnx(attributes=None):
        attributes = attributes or {}
        return ReduceSum(attributes.get("axes"), bool(attributes.get("keepdims", 1)))

    def forward(self, inputs):
        x, axes = inputs if isinstance(inputs, list) else (inputs, self.axes)
        axes = axes.int().tolist() if torch.is_tensor(axes) else axes
        for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
            x = x.sum(axis, keepdim=self.keepdims)
        return x


def multiply_bits(pairs):
    """Products x * bit for every (x, bit), where bit is an integer share that is broadcast; Beaver's protocol, all of it
    opened in one round."""
    provider = crypten.mpc.get_default_provider()
    shares = [(x._tensor, bit._tensor) for x, bit in pairs]
    triples = [provider.generate_additive_triple(x.size(), bit.size(), "mul") for x, bit in shares]
    operands = [operand for pair in shares for operand in pair]
    with IgnoreEncodings(operands + [t for a, b, _ in triples for t in (a, b)]):
        hidden = [d for (x, bit), (a, b, _) in zip(shares, triples) for d in (x - a, bit - b)]
        opened = ArithmeticSharedTensor.reveal_batch(hidden)
    products = []
    for (x, _), (a, b, c), epsilon, delta in zip(pairs, triples, opened[::2], opened[1::2]):
        share = c.share + epsilon * b.share + a.share * delta
        if c.rank == 0:
            share = share + epsilon * delta
        product = x.clone()
        product.share = share
        products.append(product)
    return products


class OrderedGraph(crypten.nn.Graph):
    """A graph that computes its modules in the order of the file, which is topological.

    CrypTen's own looks through all modules for one that can be computed, and through all for values that no one needs any
    more: minutes for the thousand small nodes of a shared model.
    """

    def __init__(self, graph):
        super().__init__(graph.input_names, graph.output_names, modules=graph._modules, graph=graph._graph)

    def forward(self, *inputs):
        uses = {}
        for names in self._graph.values():
            for name in names:
                uses[name] = uses.get(name, 0) + 1
        values = dict(zip(self.input_names, inputs))
        for name, names in self._graph.items():
            operands = [values[operand] for operand in names]
            values[name] = self._modules[name](operands[0] if len(operands) == 1 else operands)
            for operand in names:
                uses[operand] -= 1
                if not uses[operand] and operand not in self.output_names:
                    del values[operand]
        return values[self.output_names[0]]


def register():
    """Makes CrypTen's importer know the operators of ai.deepshare. May be called again."""
    onnx_converter.ONNX_TO_CRYPTEN.update(DReLU=DReLU, DReLUShare=DReLUShare, ReduceSum=ReduceSum)


def load(path):
    """The model at `path` (written by `ds-opt --target=crypten`) as a crypten module: `.encrypt(src=...)` it, then call
    it with an encrypted input."""
    register()
    model = onnx.load(path)
    del model.functions[:]  # the bodies, for runtimes that do not know the operators
    return OrderedGraph(crypten.nn.from_onnx(model.SerializeToString())).eval()
