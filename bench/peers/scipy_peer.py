"""SciPy beside flowloom: a process that solves problems when it is asked to, one JSON object a line.

    {"op": "hello", "threads": 2}             -> {"name": "SciPy", "version": "1.17.1"}
    {"op": "build", "workload": {...}}        -> {"parameters": 0}
    {"op": "run", "untimed": 1, "count": 5}   -> {"ms": 12.5}     mean of the timed runs

A workload of assignments is `file`, float32 [problems, n, n] row by row, and `totals`, what SciPy must find too. SciPy gets float64, which it
works in, so that no conversion counts as its time. One of Fréchet distances is `gaussians`, each with `d` and `file`, float64 mean1, mean2,
covariance1, covariance2; its distances come back as `results`. A run solves every problem once. A request that fails is answered by
{"error": "..."}.
"""

from peer_process import mean_ms, serve


class Peer:
    def hello(self, threads, device):
        import numpy
        import scipy
        from scipy.optimize import linear_sum_assignment

        self.numpy, self.solve = numpy, linear_sum_assignment
        return {"name": "SciPy", "version": scipy.__version__}

    def build(self, workload):
        if "gaussians" in workload:
            return self.build_gaussians(workload["gaussians"])
        self.action = self.solve_all
        numbers = self.numpy.fromfile(workload["file"], self.numpy.float32).astype(self.numpy.float64)
        self.problems = numbers.reshape(workload["problems"], workload["n"], workload["n"])
        for problem, expected in zip(self.problems, workload["totals"], strict=True):
            total = problem[self.solve(problem)].sum()
            if abs(total - expected) > 1e-9 * abs(expected):
                raise ValueError(f"the total is {total}, not {expected}")
        return {"parameters": 0}

    def run(self, untimed, count):
        return mean_ms(self.action, untimed, count)

    def solve_all(self):
        for problem in self.problems:
            self.solve(problem)

    def build_gaussians(self, gaussians):
        self.gaussians = []
        for gaussian in gaussians:
            d = gaussian["d"]
            numbers = self.numpy.fromfile(gaussian["file"], self.numpy.float64)
            means, covariances = numbers[: 2 * d].reshape(2, d), numbers[2 * d :].reshape(2, d, d)
            self.gaussians.append((*means, *covariances))
        self.action = self.distances
        return {"parameters": 0, "results": self.distances()}

    def distances(self):
        return [self.distance(*gaussian) for gaussian in self.gaussians]

    def distance(self, mean1, mean2, covariance1, covariance2):
        """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), by the root of the product."""
        from scipy.linalg import sqrtm

        root = sqrtm(covariance1 @ covariance2)
        traces = covariance1.trace() + covariance2.trace() - 2 * root.trace().real
        return float(((mean1 - mean2) ** 2).sum() + traces)


if __name__ == "__main__":
    serve(Peer())
