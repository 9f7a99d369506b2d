"""Reference autoencoders and a discriminator in PyTorch, written from their papers, with the names of the published checkpoints.

    peer/bin/python scripts/golden/autoencoders.py > test/golden/autoencoders.json

writes golden outputs and gradients of small networks (needs Python >= 3.10, PyTorch 2.x, NumPy; see blocks.py beside it, whose way of
filling tensors and summing up gradients it shares). `scripts/autoencoder-parity.ts` asks for a case of full size with

    peer/bin/python scripts/golden/autoencoders.py <case> <height> <width>
"""

import json
import sys

import torch
import torch.nn.functional as F
from torch import nn

from blocks import digits, fill, summary
from networks import tensor_specs

# Encoder and decoder (Esser et al. 2021), as latent diffusion uses them (Rombach et al. 2022)


def norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.conv1 = norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2, self.conv2 = norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        h = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (layer(h).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return x + self.proj_out(mixed.reshape(x.shape))


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))  # to the right and below


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Middle(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.block_1, self.attn_1, self.block_2 = Block(channels, channels), Attention(channels), Block(channels, channels)

    def forward(self, x):
        return self.block_2(self.attn_1(self.block_1(x)))


class Level(nn.Module):
    def __init__(self, inputs, outputs, blocks, attends):
        super().__init__()
        self.block = nn.ModuleList(Block(inputs if i == 0 else outputs, outputs) for i in range(blocks))
        self.attn = nn.ModuleList(Attention(outputs) for _ in range(blocks if attends else 0))

    def forward(self, x):
        for i, block in enumerate(self.block):
            x = block(x)
            if len(self.attn) > 0:
                x = self.attn[i](x)
        return x


class Encoder(nn.Module):
    def __init__(self, shape, channels, multipliers, blocks, attentionResolutions, outputs):
        super().__init__()
        self.conv_in = nn.Conv2d(shape[0], channels, 3, padding=1)
        self.down = nn.ModuleList()
        side, current = shape[1], channels
        for level, multiplier in enumerate(multipliers):
            self.down.append(Level(current, multiplier * channels, blocks, side in attentionResolutions))
            current = multiplier * channels
            if level < len(multipliers) - 1:
                self.down[level].downsample = Downsample(current)
                side //= 2
        self.mid = Middle(current)
        self.norm_out, self.conv_out = norm(current), nn.Conv2d(current, outputs, 3, padding=1)

    def forward(self, x):
        h = self.conv_in(x)
        for level in self.down:
            h = level(h)
            if hasattr(level, "downsample"):
                h = level.downsample(h)
        return self.conv_out(F.silu(self.norm_out(self.mid(h))))


class Decoder(nn.Module):
    def __init__(self, shape, channels, multipliers, blocks, attentionResolutions, inputs):
        super().__init__()
        widths = [multiplier * channels for multiplier in multipliers]
        self.conv_in = nn.Conv2d(inputs, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1])
        levels = []
        for level, width in enumerate(widths):
            before = widths[min(level + 1, len(widths) - 1)]
            levels.append(Level(before, width, blocks + 1, shape[1] // 2**level in attentionResolutions))
            if level > 0:
                levels[level].upsample = Upsample(width)
        self.up = nn.ModuleList(levels)
        self.norm_out, self.conv_out = norm(widths[0]), nn.Conv2d(widths[0], shape[0], 3, padding=1)

    def forward(self, z):
        h = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            h = level(h)
            if hasattr(level, "upsample"):
                h = level.upsample(h)
        return self.conv_out(F.silu(self.norm_out(h)))


class KlAutoencoder(nn.Module):
    """x and noise to pixels and the divergence of each sample."""

    def __init__(self, latentChannels, codeChannels=None, **sizes):
        super().__init__()
        codeChannels = codeChannels or latentChannels
        self.encoder, self.decoder = Encoder(**sizes, outputs=2 * latentChannels), Decoder(**sizes, inputs=latentChannels)
        self.quant_conv = nn.Conv2d(2 * latentChannels, 2 * codeChannels, 1)
        self.post_quant_conv = nn.Conv2d(codeChannels, latentChannels, 1)

    def forward(self, x, noise):
        mean, log_variance = self.quant_conv(self.encoder(x)).chunk(2, dim=1)
        log_variance = log_variance.clamp(-30, 20)
        z = mean + (0.5 * log_variance).exp() * noise
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=(1, 2, 3))
        return self.decoder(self.post_quant_conv(z)), divergence, {}


class Codebook(nn.Module):
    """Quantisation of van den Oord et al. 2017."""

    def __init__(self, codes, channels):
        super().__init__()
        self.embedding = nn.Embedding(codes, channels)

    def forward(self, z, commitment):
        rows = z.permute(0, 2, 3, 1)
        distances = torch.cdist(rows.reshape(-1, rows.shape[-1]), self.embedding.weight)
        two = distances.topk(2, largest=False).values
        assert (two[:, 1] - two[:, 0]).min() > 1e-5, "a position lies between two codes: take another seed"
        indices = distances.argmin(dim=1).view(rows.shape[:-1])
        e = self.embedding(indices).permute(0, 3, 1, 2)
        loss = ((e - z.detach()) ** 2 + commitment * (z - e.detach()) ** 2).mean(dim=(1, 2, 3))
        return z + (e - z).detach(), loss, indices


class VqVae(nn.Module):
    """x to pixels and the loss of quantisation of each sample."""

    def __init__(self, latentChannels, codes, commitment, codeChannels=None, **sizes):
        super().__init__()
        codeChannels, self.commitment = codeChannels or latentChannels, commitment
        self.encoder, self.decoder = Encoder(**sizes, outputs=latentChannels), Decoder(**sizes, inputs=latentChannels)
        self.quantize = Codebook(codes, codeChannels)
        self.quant_conv = nn.Conv2d(latentChannels, codeChannels, 1)
        self.post_quant_conv = nn.Conv2d(codeChannels, latentChannels, 1)

    def forward(self, x, noise):
        z, loss, indices = self.quantize(self.quant_conv(self.encoder(x)), self.commitment)
        return self.decoder(self.post_quant_conv(z)), loss, {"indices": indices.ravel().tolist()}


# PatchGAN (Isola et al. 2017)


class PatchDiscriminator(nn.Module):
    """x to logits; norms take the statistics of the batch."""

    def __init__(self, inputs, channels, layers):
        super().__init__()
        main = [nn.Conv2d(inputs, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width = channels
        for i in range(1, layers + 1):
            wider, stride = channels * min(2**i, 8), 2 if i < layers else 1
            convolution = nn.Conv2d(width, wider, 4, stride=stride, padding=1, bias=False)
            main += [convolution, nn.BatchNorm2d(wider), nn.LeakyReLU(0.2)]
            width = wider
        self.main = nn.Sequential(*main, nn.Conv2d(width, 1, 4, padding=1))

    def forward(self, x, noise):
        return self.main(x), torch.zeros(len(x), dtype=x.dtype), {}


NETWORKS = {"kl": KlAutoencoder, "vq": VqVae, "discriminator": PatchDiscriminator}

SMALL = {"shape": [3, 16, 16], "channels": 32, "multipliers": [1, 2], "blocks": 1}

# kind, options, height and width of x
CASES = {
    "kl": ("kl", SMALL | {"attentionResolutions": [], "latentChannels": 3, "codeChannels": 2}, 8, 12),
    "vq": (
        "vq",
        SMALL | {"attentionResolutions": [16], "latentChannels": 3, "codeChannels": 2, "codes": 12, "commitment": 0.25},
        12,
        8,
    ),
    "discriminator": ("discriminator", {"inputs": 3, "channels": 4, "layers": 2}, 24, 20),
}

SD = {"channels": 128, "multipliers": [1, 2, 4, 4], "blocks": 2, "attentionResolutions": [], "latentChannels": 4}

FULL = {
    "kl-f8": ("kl", {"shape": [3, 256, 256]} | SD),
    "vq-f8": ("vq", {"shape": [3, 256, 256]} | SD | {"codes": 8192, "commitment": 0.25}),
    "discriminator": ("discriminator", {"inputs": 3, "channels": 64, "layers": 3}),
}


def filled_network(kind, options, first_seed):
    """A network in float64, and how its parameters are filled."""
    network = NETWORKS[kind](**options).double()
    specs = tensor_specs(network, first_seed)
    for name, parameter in network.named_parameters():
        parameter.data = fill(specs[name]).detach()
    return network, specs


def golden_case(kind, options, height, width, first_seed, batch):
    network, specs = filled_network(kind, options, first_seed)
    state = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    uniform = lambda shape, seed: {"shape": list(shape), "seed": first_seed + seed, "scale": 1.0, "offset": 0.0}
    x = uniform([batch, options["shape"][0] if "shape" in options else options["inputs"], height, width], 997)
    noise = None
    if kind == "kl":
        factor = 2 ** (len(options["multipliers"]) - 1)
        channels = options.get("codeChannels", options["latentChannels"])
        noise = uniform([batch, channels, height // factor, width // factor], 998)
    output, loss, more = network(fill(x).detach(), None if noise is None else fill(noise).detach())
    weights = uniform(output.shape, 999)
    ((output * fill(weights).detach()).sum() + loss.sum()).backward()
    return {
        "kind": kind,
        "options": options,
        "state": state,
        "tensors": specs,
        "x": x,
        "noise": noise,
        "weights": weights,
        "output": digits(output.detach().ravel().tolist()),
        "loss": digits(loss.detach().tolist()),
        **more,
        "gradients": {name: summary(parameter.grad) for name, parameter in network.named_parameters()},
    }


def adversarial_case():
    """Losses of the small VQ-VAE against the small discriminator, and the adaptive weight of Esser et al. 2021, eq. (7)."""
    seeds = {name: 10000 * (i + 1) for i, name in enumerate(CASES)}
    (autoencoder, _), (judge, _) = (filled_network(*CASES[name][:2], seeds[name]) for name in ("vq", "discriminator"))
    x = {"shape": [2, 3, 16, 16], "seed": 40000, "scale": 1.0, "offset": 0.0}
    real = fill(x).detach()
    made = autoencoder(real, None)[0]
    reconstruction, adversarial = (real - made).abs().mean(), -judge(made, None)[0].mean()
    last = autoencoder.decoder.conv_out.weight
    above, below = (torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (reconstruction, adversarial))
    hinge = 0.5 * (F.relu(1 - judge(real, None)[0]).mean() + F.relu(1 + judge(made.detach(), None)[0]).mean())
    values = {"reconstruction": reconstruction, "generator": adversarial, "discriminator": hinge, "weight": above / (below + 1e-6)}
    return {"x": x, **{name: digits([value.item()])[0] for name, value in values.items()}}


def main():
    if len(sys.argv) > 1:
        name, height, width = sys.argv[1:]
        result = golden_case(*FULL[name], int(height), int(width), 10000, 1)
    else:
        cases = {name: golden_case(*case, 10000 * (i + 1), 2) for i, (name, case) in enumerate(CASES.items())}
        result = {"torch": torch.__version__, "cases": cases, "adversarial": adversarial_case()}
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
