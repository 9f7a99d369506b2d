"""Runs onnx.checker over a folder of models and prints a table, one line a primitive: python3 check-onnx.py <folder>

With an onnx that knows the models' opset, each model is checked in full: structure, every node against its operator, and declared
types against inferred ones. An older onnx checks a copy that claims its own newest opset. Nodes that fail there although they may be
right, because their operator has changed since, are taken out of the comparison by a domain of their own, and counted as "newer".
Nodes of com.microsoft have no schema here; their structure is checked.
"""

import collections
import pathlib
import sys

import onnx

# Operators that have other inputs or attributes since opset 17, or did not exist.
CHANGED = {
    "AveragePool", "Gelu", "IsInf", "IsNaN", "Pad", "Resize", "ScatterElements", "Split",
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSumSquare",
}
NEWEST = onnx.defs.onnx_opset_version()


def full_check(model):
    onnx.checker.check_model(model, full_check=True)
    return 0


def older_check(model):
    """Checks a copy in the newest opset known here; returns how many nodes were left out."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": NEWEST, "com.microsoft": 1}
    newer = 0
    for node in model.graph.node:
        if node.domain != "" or node.op_type not in CHANGED:
            continue
        try:
            onnx.checker.check_node(node, context)
        except onnx.checker.ValidationError:
            node.domain = "newer"
            newer += 1
    model.ir_version = onnx.IR_VERSION
    for opset in model.opset_import:
        if opset.domain == "":
            opset.version = NEWEST
    model.opset_import.append(onnx.helper.make_opsetid("newer", 1))
    onnx.checker.check_model(model, full_check=newer == 0)
    return newer


def main(folder):
    table = collections.defaultdict(lambda: collections.Counter())
    faults = []
    for path in sorted(pathlib.Path(folder).glob("*.onnx")):
        row = table[path.name.split("-")[0]]
        model = onnx.load(path)
        wanted = max(opset.version for opset in model.opset_import if opset.domain == "")
        row["nodes"] += len(model.graph.node)
        row["contributed"] += sum(node.domain != "" for node in model.graph.node)
        try:
            row["newer"] += (full_check if NEWEST >= wanted else older_check)(model)
            row["passed"] += 1
        except Exception as error:  # The checker raises several unrelated classes.
            row["failed"] += 1
            faults.append(f"{path.name}: {str(error).strip()}")
    print(f"onnx {onnx.__version__}, opset {NEWEST}")
    print(f"{'primitive':24}{'passed':>8}{'failed':>8}{'nodes':>8}{'newer':>8}{'contrib':>8}")
    total = collections.Counter()
    for name, row in sorted(table.items()):
        total.update(row)
        print(f"{name:24}" + "".join(f"{row[key]:8}" for key in ("passed", "failed", "nodes", "newer", "contributed")))
    print(f"{'all':24}" + "".join(f"{total[key]:8}" for key in ("passed", "failed", "nodes", "newer", "contributed")))
    print("\n".join(faults))
    return 1 if faults or not table else 0


sys.exit(main(sys.argv[1]))
