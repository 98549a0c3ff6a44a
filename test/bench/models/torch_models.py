#!/usr/bin/env python3
"""Exports networks of torchvision, timm and this file with seeded random weights.

usage: torch_models.py EXPORTER FOLDER [NAME...] | torch_models.py EXPORTER --list

EXPORTER is torchscript or dynamo; without names all that the exporter's installation has. Writes FOLDER/NAME.onnx, an
opset-17 or later model with a free batch, or FOLDER/NAME.refused with what the exporter said. Runs in the environments
that `tools/setup --exporters` makes, not in that of the tests.

Statistics of BatchNormalization are those of structured images (images.py), so that activations have the size that they
have in a trained network; all other weights are as the library initialises them.
"""

import contextlib
import io
import logging
import pathlib
import sys
import warnings

import torch
from torch import nn

from images import structured_images


class UNet(nn.Module):
    """Two levels: the gates of the encoder and of the decoder have the same positions."""

    def __init__(self):
        super().__init__()

        def block(inside, outside):
            layers = []
            for channels in (inside, outside):
                layers += [nn.Conv2d(channels, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU()]
            return nn.Sequential(*layers)

        self.down1, self.down2, self.middle = block(3, 16), block(16, 32), block(32, 64)
        self.pool = nn.MaxPool2d(2)
        self.raise2, self.raise1 = nn.ConvTranspose2d(64, 32, 2, stride=2), nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.up2, self.up1, self.head = block(64, 32), block(32, 16), nn.Conv2d(16, 5, 1)

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(self.pool(first))
        x = self.middle(self.pool(second))
        x = self.up2(torch.cat([self.raise2(x), second], 1))
        return self.head(self.up1(torch.cat([self.raise1(x), first], 1)))


class TokenMLP(nn.Module):
    """A network on [N, tokens, features]: channels are on the last axis."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 48), nn.LeakyReLU(0.1), nn.Linear(48, 32),
                                    nn.ReLU())
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.layers(x).mean(1))


def conv_net(axes):
    """A small network on any number of spatial axes."""
    conv = (None, nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes]
    norm = (None, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[axes]
    pool = (None, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[axes]
    mean = (None, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[axes]
    return nn.Sequential(conv(3, 16, 3, padding=1), norm(16), nn.ReLU(), pool(2), conv(16, 32, 3, padding=1), norm(32),
                         nn.PReLU(32), conv(32, 32, 3, stride=2, padding=1), norm(32), nn.ReLU(), mean(1), nn.Flatten(),
                         nn.Linear(32, 10))


def gates_net():
    """Every gate that torch has a module for, and the pools."""
    layers, channels = [], 3
    for gate in (nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.1), nn.PReLU(16), nn.Hardtanh(-1, 1), nn.Hardswish(), nn.Hardsigmoid(),
                 nn.ELU(), nn.Softplus(), nn.SiLU(), nn.GELU(), nn.Softshrink(0.2)):
        layers += [nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), gate]
        channels = 16
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def torchvision(name, **options):
    """A constructor of torchvision's classification or segmentation models, without weights."""
    def make():
        import torchvision as tv
        constructor = getattr(tv.models, name, None) or getattr(tv.models.segmentation, name)
        return constructor(weights=None, **options)
    return make


def timm(name, **options):
    def make():
        import timm as library
        return library.create_model(name, pretrained=False, **options)
    return make


def vgg11():
    """VGG for small images: without the pooling to 7x7, which TorchScript's exporter takes for large ones alone."""
    model = torchvision("vgg11", num_classes=10)()
    model.avgpool = nn.AdaptiveAvgPool2d(1)
    model.classifier[0] = nn.Linear(512, 4096)
    return model


def segmentation(name):
    """The prediction alone of a model that returns a dictionary."""
    class Prediction(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = torchvision(name, weights_backbone=None, num_classes=5)()

        def forward(self, x):
            return self.model(x)["out"]
    return Prediction


IMAGE = (3, 64, 64)
# Name: how it is made, and the shape of an image.
MODELS = {
    "resnet18": (torchvision("resnet18"), IMAGE),
    "resnet50": (torchvision("resnet50"), IMAGE),
    "vgg11": (vgg11, IMAGE),
    "densenet121": (torchvision("densenet121"), IMAGE),
    "squeezenet1_1": (torchvision("squeezenet1_1"), IMAGE),
    "googlenet": (torchvision("googlenet", aux_logits=False, init_weights=False), IMAGE),
    "shufflenet_v2_x0_5": (torchvision("shufflenet_v2_x0_5"), IMAGE),
    "regnet_y_400mf": (torchvision("regnet_y_400mf"), IMAGE),
    "mobilenet_v2": (torchvision("mobilenet_v2"), IMAGE),
    "mobilenet_v3_small": (torchvision("mobilenet_v3_small"), IMAGE),
    "efficientnet_b0": (torchvision("efficientnet_b0"), IMAGE),
    "convnext_tiny": (torchvision("convnext_tiny"), IMAGE),
    "vit_b_16": (torchvision("vit_b_16", image_size=64, num_classes=10), IMAGE),
    "fcn_resnet50": (segmentation("fcn_resnet50"), IMAGE),
    "deeplabv3_resnet50": (segmentation("deeplabv3_resnet50"), IMAGE),
    "unet": (UNet, IMAGE),
    "token-mlp": (TokenMLP, (16, 24)),
    "cnn-1d": (lambda: conv_net(1), (3, 64)),
    "cnn-3d": (lambda: conv_net(3), (3, 8, 16, 16)),
    "gates": (gates_net, (3, 16, 16)),
    "timm-ghostnet_100": (timm("ghostnet_100"), IMAGE),
    "timm-efficientnet_lite0": (timm("efficientnet_lite0"), IMAGE),
    "timm-dla34": (timm("dla34"), IMAGE),
    "timm-cspdarknet53": (timm("cspdarknet53"), IMAGE),
    "timm-mobilevitv2_050": (timm("mobilevitv2_050"), IMAGE),
    "timm-hrnet_w18_small": (timm("hrnet_w18_small"), IMAGE),
}


def calibrate_statistics(model, shape):
    """Takes the statistics of BatchNormalization from three batches, each with the same weight."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        for seed in range(3 if norms else 0):
            model(torch.from_numpy(structured_images(16, shape, seed)))


def export(exporter, name, path):
    make, shape = MODELS[name]
    torch.manual_seed(0)
    model = make().eval()
    calibrate_statistics(model, shape)
    model.eval()
    images = torch.from_numpy(structured_images(2, shape))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if exporter == "torchscript":
            later = {"dynamo": False} if torch.__version__ >= "2.5" else {}
            torch.onnx.export(model, images, str(path), opset_version=17, input_names=["images"], output_names=["result"],
                              dynamic_axes={"images": {0: "N"}, "result": {0: "N"}}, **later)
        else:
            program = torch.onnx.export(model, (images,), dynamo=True, input_names=["images"], output_names=["result"],
                                        dynamic_shapes=({0: torch.export.Dim("N", min=2, max=64)},))
            program.save(str(path))


def main() -> int:
    exporter, folder, names = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
    if sys.argv[2] == "--list":
        print(*MODELS)
        return 0
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "exporter").write_text(f"{exporter}, torch {torch.__version__}")
    for name in names or MODELS:
        refused = folder / f"{name}.refused"
        refused.unlink(missing_ok=True)
        try:
            export(exporter, name, folder / f"{name}.onnx")
        except Exception as error:  # Exporters and libraries have no common class for what they do not take.
            refused.write_text(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
        print(name, "refused" if refused.exists() else "done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
