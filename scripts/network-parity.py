"""PyTorch's side of network-parity.ts: loads the weights of a folder strictly, writes back its state, its output and its gradients."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parent / "golden"))
from networks import NETWORKS

DTYPES = {"F32": np.float32, "I32": np.int32}


def read(path):
    """Tensors of a safetensors file: 8 bytes of length, a JSON header, the values."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin = start + entry["data_offsets"][0]
        values = np.frombuffer(content, DTYPES[entry["dtype"]], math.prod(entry["shape"]), begin)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return tensors


def write(path, tensors):
    header, offset = {}, 0
    arrays = {name: np.ascontiguousarray(tensor.detach().float().numpy()) for name, tensor in tensors.items()}
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.tobytes())


def main():
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text())
    network = NETWORKS[request["kind"]](**request["options"])
    network.load_state_dict(read(folder / "weights.safetensors"), strict=True)
    network.to(getattr(torch, request["dtype"]))
    write(folder / "state.safetensors", network.state_dict())
    inputs = {name: tensor.to(getattr(torch, request["dtype"])) for name, tensor in read(folder / "inputs.safetensors").items()}
    labels = inputs["labels"].long() if "labels" in inputs else None
    output = network(inputs["x"], inputs["time"], labels)
    (output * inputs["w"]).sum().backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    write(folder / "results.safetensors", {"output": output} | {f"gradient.{name}": g for name, g in gradients.items()})


if __name__ == "__main__":
    main()
