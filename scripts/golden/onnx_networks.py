"""Small networks as PyTorch exports them to ONNX, with their outputs and gradients: test/golden/onnx/*.onnx and networks.json.

Needs torch only:  python scripts/golden/onnx_networks.py
The weights are random but seeded; the image and the cotangent are formulas that the test repeats.
"""

import json
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.onnx._internal.torchscript_exporter import onnx_proto_utils

FOLDER = Path(__file__).resolve().parents[2] / "test" / "golden" / "onnx"
# Without the `onnx` package: nothing here has functions of its own to be added.
onnx_proto_utils._add_onnxscript_fn = lambda model_bytes, custom_opsets: model_bytes
warnings.filterwarnings("ignore")


def conv(i, o, k, stride=1, padding=0, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, k, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(o))


class Residual(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.first, self.second = conv(i, o, 3, stride, 1), conv(o, o, 3, 1, 1)
        self.skip = conv(i, o, 1, stride)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.skip(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.blocks = conv(3, 6, 3, 1, 1), nn.Sequential(Residual(6, 6, 1), Residual(6, 8, 2))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.blocks(F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1))
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Inception(nn.Module):
    """Branches of Inception v3: asymmetric kernels, poolings that count their padding or do not, sizes rounded up."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 4, 3, 1)
        self.point, self.across, self.down = conv(4, 3, 1), conv(4, 3, (1, 7), padding=(0, 3)), conv(3, 3, (7, 1), padding=(3, 0))
        self.pooled, self.reduce = conv(4, 3, 1), conv(9, 4, 3, 2)

    def forward(self, x):
        x = F.relu(self.stem(x))
        pool = F.avg_pool2d(x, 3, 1, 1) + F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        branches = [self.point(x), self.down(F.relu(self.across(x))), self.pooled(pool)]
        x = F.relu(torch.cat(branches, 1))
        small = torch.cat([self.reduce(x), F.max_pool2d(x, 3, 2)], 1)
        return F.max_pool2d(small, 3, 2, ceil_mode=True)


class MobileNet(nn.Module):
    """Depthwise convolutions, squeeze and excitation, hard activations."""

    def __init__(self):
        super().__init__()
        self.expand, self.depth, self.project = conv(3, 8, 1), conv(8, 8, 5, 2, 2, groups=8), conv(8, 4, 1)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x):
        x = F.hardswish(self.depth(F.relu6(self.expand(x))))
        gate = F.hardsigmoid(self.excite(F.silu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        return F.leaky_relu(self.project(x * gate), 0.1)


class Transformer(nn.Module):
    """A ViT block on patches with a class token, ending like CLIP: a projection of norm 1."""

    def __init__(self, width=8, heads=2):
        super().__init__()
        self.heads = heads
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 10, width))
        self.first, self.second, self.last = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 16), nn.Linear(16, width)
        self.scale, self.projection = nn.Parameter(torch.rand(width)), nn.Parameter(torch.randn(width, 6))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        batch, tokens, width = x.shape
        q, k, v = self.qkv(self.first(x)).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.scale * self.out(mixed)
        hidden = self.up(self.second(x))
        x = x + self.down(F.gelu(hidden) + hidden * torch.sigmoid(1.702 * hidden))
        features = self.last(x)[:, 0] @ self.projection
        return features / features.norm(dim=-1, keepdim=True)


class Decoder(nn.Module):
    """The tools of autoencoders: group norm, attention over pixels, resizing of several kinds, padding, shuffling."""

    def __init__(self):
        super().__init__()
        self.start, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(2, 8)
        self.qkv, self.up = nn.Conv2d(8, 24, 1), nn.ConvTranspose2d(8, 4, 4, 2, 1)
        self.shuffle, self.last = nn.Conv2d(8, 16, 3), nn.Conv2d(4, 3, 3)
        self.slope = nn.PReLU(4)

    def forward(self, x):
        x = self.start(x)
        q, k, v = self.qkv(F.silu(self.norm(x))).flatten(2).chunk(3, 1)
        x = x + (torch.softmax(q.transpose(1, 2) @ k / 8**0.5, -1) @ v.transpose(1, 2)).transpose(1, 2).reshape(x.shape)
        wide = F.interpolate(x, scale_factor=2, mode="nearest")
        ways = [
            F.pixel_shuffle(self.shuffle(F.pad(x, (1, 1, 1, 1), mode="reflect")), 2),
            self.up(F.elu(x)),
            wide[:, :4] * torch.tanh(F.interpolate(x, size=wide.shape[2:], mode="bilinear", align_corners=False)[:, 4:]),
            F.interpolate(x, size=wide.shape[2:], mode="bicubic", align_corners=True)[:, 2:6],
        ]
        return self.last(self.slope(F.pad(sum(ways), (1, 1, 1, 1), mode="replicate")))


def randomise(model):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return model.eval()


def wave(shape, rate):
    return torch.cos(rate * torch.arange(1, int(torch.tensor(shape).prod()) + 1, dtype=torch.float64)).reshape(shape)


def export(name, model, opset):
    image = wave((2, 3, 12, 12), 0.37)
    options = {"input_names": ["image"], "output_names": ["result"], "opset_version": opset, "dynamo": False}
    # Else the exporter folds batch norms into convolutions, as most files have it: one network here stays so.
    if name != "inception":
        options["training"] = torch.onnx.TrainingMode.PRESERVE
    axes = {"image": {0: "batch"}, "result": {0: "batch"}}
    torch.onnx.export(model, (image.float(),), str(FOLDER / f"{name}.onnx"), dynamic_axes=axes, **options)
    exact = model.double()
    image.requires_grad_(True)
    result = exact(image)
    weight = next(p for n, p in exact.named_parameters() if p.dim() > 1)
    by_image, by_weight = torch.autograd.grad((result * wave(tuple(result.shape), 0.61)).sum(), [image, weight])
    rounded = lambda t: [float(f"{v:.7g}") for v in t.detach().flatten().tolist()]
    return {
        "name": name,
        "opset": opset,
        "shape": list(result.shape),
        "result": rounded(result),
        "byImage": rounded(by_image),
        "weight": next(n for n, p in exact.named_parameters() if p is weight),
        "byWeight": rounded(by_weight),
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    cases = []
    for index, (name, model, opset) in enumerate(
        [
            ("resnet", ResNet, 9),
            ("inception", Inception, 11),
            ("mobilenet", MobileNet, 14),
            ("transformer", Transformer, 17),
            ("transformer-14", Transformer, 14),
            ("decoder", Decoder, 18),
            ("decoder-11", Decoder, 11),
        ]
    ):
        torch.manual_seed(index)
        cases.append(export(name, randomise(model()), opset))
    source = f"PyTorch {torch.__version__}, float64; scripts/golden/onnx_networks.py"
    (FOLDER / "networks.json").write_text(json.dumps({"source": source, "cases": cases}) + "\n")
