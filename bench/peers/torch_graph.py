"""Networks for PyTorch from a list of ONNX nodes and a file of float32 weights, as bench/peer-network.ts writes them.

Only what convolutional feature networks need. Normalisations are folded into the convolutions before them, as runtimes do.
"""

import json
import os

import numpy as np


def read_graph(torch, folder, dtype):
    """Nodes, and weights by name."""
    with open(os.path.join(folder, "graph.json")) as file:
        graph = json.load(file)
    numbers = np.fromfile(os.path.join(folder, "weights.f32"), dtype=np.float32)
    weights, at = {}, 0
    for name, shape in graph["weights"]:
        count = int(np.prod(shape))
        weights[name] = torch.from_numpy(numbers[at : at + count].reshape(shape)).to(dtype)
        at += count
    return graph, weights


def fold(graph, weights):
    """Convolutions [kernel, bias] by output name; a normalisation's name becomes that of the convolution before it."""
    producers = {node["output"]: node for node in graph["nodes"]}
    folded, nodes = {}, []
    for node in graph["nodes"]:
        before = producers.get(node["inputs"][0])
        if node["op"] == "Conv":
            kernel = weights[node["inputs"][1]]
            bias = weights[node["inputs"][2]] if len(node["inputs"]) > 2 else kernel.new_zeros(kernel.shape[0])
            folded[node["output"]] = (kernel, bias)
        elif node["op"] == "BatchNormalization" and before is not None and before["op"] == "Conv":
            scale, offset, mean, variance = (weights[name] for name in node["inputs"][1:])
            kernel, bias = folded.pop(before["output"])
            gain = scale / (variance + node["attributes"].get("epsilon", 1e-5)).sqrt()
            folded[node["output"]] = (kernel * gain[:, None, None, None], (bias - mean) * gain + offset)
            nodes[nodes.index(before)] = {**before, "output": node["output"]}
            continue
        nodes.append(node)
    return nodes, folded


def run_graph(torch, graph, nodes, folded, x):
    """The graph's output for x [batch, 3, height, width]."""
    F = torch.nn.functional
    values = {graph["input"]: x}
    for node in nodes:
        inputs, attributes = [values.get(name) for name in node["inputs"]], node["attributes"]
        size, stride = attributes.get("kernel_shape"), attributes.get("strides")
        same = attributes.get("auto_pad") == "SAME_UPPER"
        if same and stride != [1, 1]:
            raise ValueError(f"padding of {node['output']}")
        padding = [(n - 1) // 2 for n in size] if same else 0
        if node["op"] == "Conv":
            kernel, bias = folded[node["output"]]
            y = F.conv2d(inputs[0], kernel, bias, stride, padding, groups=attributes.get("group", 1))
        elif node["op"] == "Relu":
            y = F.relu(inputs[0])
        elif node["op"] == "MaxPool":
            y = F.max_pool2d(inputs[0], size, stride, padding)
        elif node["op"] == "AveragePool":
            y = F.avg_pool2d(inputs[0], size, stride, padding, count_include_pad=False)
        elif node["op"] == "Concat":
            y = torch.cat(inputs, dim=attributes["axis"])
        else:
            raise ValueError(f"operator {node['op']}")
        values[node["output"]] = y
    return values[graph["output"]]
