"""PyTorch beside flowloom: a process that builds a workload once and runs it when it is asked to, one JSON object a line.

    {"op": "hello", "threads": 2, "device": "cpu"} -> {"name": "PyTorch", "version": "2.13.0+cpu"}
    {"op": "build", "workload": {...}}        -> {"parameters": 10636816}
    {"op": "run", "untimed": 1, "count": 5}   -> {"ms": 12.5}     mean of the timed runs
    {"op": "memory"}                          -> {"bytes": 1e9}   highest resident memory of the process

A request that fails is answered by {"error": "..."}. Needs PyTorch >= 2.1 (2.4 for the fused AdamW on a CPU):

    python3 -m venv peer && peer/bin/pip install torch==2.13.0 numpy
    npm run bench -- step --python peer/bin/python
"""

from peer_process import mean_ms, serve


def product(torch, workload):
    """Matrix product with operands as stored: [.., m, k] or transposed, times [.., k, n] or transposed."""
    a, b = (torch.rand(workload[name]) - 0.5 for name in ("a", "b"))
    if workload["transposeA"]:
        a = a.transpose(-1, -2)
    if workload["transposeB"]:
        b = b.transpose(-1, -2)
    out = torch.empty(workload["output"])
    return lambda: torch.matmul(a, b, out=out), 0


def velocity_loss(torch, model, workload):
    """The linear path's velocity."""
    batch, shape, classes = workload["batch"], workload["model"]["shape"], workload["model"]["classes"]
    source, target, at = torch.randn(batch, *shape), torch.randn(batch, *shape), torch.rand(batch)
    labels = None if classes is None else torch.randint(classes + 1, (batch,))

    def loss():
        velocity = target - source
        xt = source + at[:, None, None, None] * velocity
        if workload["channelsLast"]:
            xt = xt.to(memory_format=torch.channels_last)
        return ((model(xt, at, labels) - velocity) ** 2).mean()

    return loss


def vq_vae_loss(torch, model, workload):
    """Squared error of the pictures, and the quantiser's loss."""
    pictures = torch.randn(workload["batch"], *workload["model"]["shape"])
    if workload["channelsLast"]:
        pictures = pictures.to(memory_format=torch.channels_last)

    def loss():
        made, quantisation = model(pictures)
        return ((made - pictures) ** 2).mean() + quantisation

    return loss


def training_step(torch, workload):
    """Forward, backward, clipping and AdamW, float32, eager."""
    from torch_networks import NETWORKS

    torch.manual_seed(0)
    model = NETWORKS[workload["kind"]](**workload["model"])
    parameters = list(model.parameters())
    options = {"fused": True} if workload["fused"] else {}
    optimizer = torch.optim.AdamW(parameters, lr=workload["learningRate"], betas=workload["betas"], **options)
    if workload["channelsLast"]:
        model = model.to(memory_format=torch.channels_last)
    loss_of = (vq_vae_loss if workload["kind"] == "vq-vae" else velocity_loss)(torch, model, workload)

    def step():
        loss = loss_of()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, workload["clip"])
        optimizer.step()
        return loss.item()

    return step, sum(parameter.numel() for parameter in parameters)


def closed_form(torch, workload):
    """The exact field of n normal data at points of the path: softmax of scores, weighted mean; float32, no blocks."""
    torch.manual_seed(0)
    data = torch.randn(workload["count"], workload["elements"])
    at = torch.tensor(workload["time"])[:, None]
    chosen = torch.arange(len(at)) * len(data) // len(at)
    x = (1 - at) * torch.randn(len(at), data.shape[1]) + at * data[chosen]
    halves = (data**2).sum(1)[None] / 2

    def answer():
        weights = torch.softmax((x @ data.T - at * halves) * (at / (1 - at) ** 2), dim=1)
        return (weights @ data - x) / (1 - at)

    return answer, 0


def features(torch, workload):
    """Means of a network's maps for grey 8-bit images, in the memory format that is faster."""
    from torch_graph import fold, read_graph, run_graph

    graph, weights = read_graph(torch, workload["folder"], torch.float32)
    nodes, folded = fold(graph, weights)
    side, size = workload["side"], workload["size"]
    with open(workload["pixels"], "rb") as file:
        pixels = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8).reshape(-1, 1, side, side)

    def action(memory_format, kernels):
        @torch.inference_mode()
        def run():
            x = pixels.to(torch.float32) / 255
            x = torch.nn.functional.interpolate(x, size=[size, size], mode="bilinear", antialias=True)
            x = x.expand(-1, 3, -1, -1).contiguous(memory_format=memory_format)
            return run_graph(torch, graph, nodes, kernels, x).mean(dim=(2, 3))

        return run

    formats = [torch.contiguous_format, torch.channels_last]
    converted = [{n: (k.to(memory_format=f), b) for n, (k, b) in folded.items()} for f in formats]
    actions = [action(*pair) for pair in zip(formats, converted)]
    fastest = min(actions, key=lambda run: mean_ms(run, 1, 2)["ms"])
    return fastest, sum(values.numel() for values in weights.values()), fastest()[0].tolist()


WORKLOADS = {"product": product, "step": training_step, "closed-form": closed_form, "features": features}


class Peer:
    def hello(self, threads, device):
        import torch

        self.synchronize = lambda: None
        if device == "gpu":
            torch.set_default_device("cuda")
            self.synchronize = torch.cuda.synchronize
        torch.set_num_threads(threads)
        # As flowloom's sessions do.
        torch.set_flush_denormal(True)
        self.torch = torch
        return {"name": "PyTorch", "version": torch.__version__}

    def build(self, workload):
        # The memory of what was built before is free for what is built now.
        self.action = None
        action, parameters, *results = WORKLOADS[workload["what"]](self.torch, workload)

        def finished():
            action()
            self.synchronize()

        self.action = finished
        return {"parameters": parameters, **({"results": results[0]} if results else {})}

    def run(self, untimed, count):
        return mean_ms(self.action, untimed, count)


if __name__ == "__main__":
    serve(Peer())
