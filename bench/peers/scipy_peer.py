"""SciPy beside flowloom: a process that solves assignment problems when it is asked to, one JSON object a line.

    {"op": "hello", "threads": 2}             -> {"name": "SciPy", "version": "1.17.1"}
    {"op": "build", "workload": {...}}        -> {"parameters": 0}
    {"op": "run", "untimed": 1, "count": 5}   -> {"ms": 12.5}     mean of the timed runs

A workload is `file`, float32 [problems, n, n] row by row, and `totals`, what SciPy must find too. SciPy gets float64, which it works in, so that
no conversion counts as its time. A run solves every problem once. A request that fails is answered by {"error": "..."}.
"""

from peer_process import mean_ms, serve


class Peer:
    def hello(self, threads):
        import numpy
        import scipy
        from scipy.optimize import linear_sum_assignment

        self.numpy, self.solve = numpy, linear_sum_assignment
        return {"name": "SciPy", "version": scipy.__version__}

    def build(self, workload):
        numbers = self.numpy.fromfile(workload["file"], self.numpy.float32).astype(self.numpy.float64)
        self.problems = numbers.reshape(workload["problems"], workload["n"], workload["n"])
        for problem, expected in zip(self.problems, workload["totals"], strict=True):
            total = problem[self.solve(problem)].sum()
            if abs(total - expected) > 1e-9 * abs(expected):
                raise ValueError(f"the total is {total}, not {expected}")
        return {"parameters": 0}

    def run(self, untimed, count):
        return mean_ms(self.solve_all, untimed, count)

    def solve_all(self):
        for problem in self.problems:
            self.solve(problem)


if __name__ == "__main__":
    serve(Peer())
