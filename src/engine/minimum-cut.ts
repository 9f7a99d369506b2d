/** Minimum cuts of directed networks with capacities. */

/** A directed arc; a capacity may be infinite. */
export interface Arc {
  readonly from: number;
  readonly to: number;
  readonly capacity: number;
}

/** Arcs by node, each beside its reverse: arc i leaves, arc i ^ 1 comes back. */
function residualNetwork(nodes: number, arcs: readonly Arc[]) {
  const leaving: number[][] = Array.from({ length: nodes }, () => []);
  const ends: number[] = [];
  const left: number[] = [];
  for (const { from, to, capacity } of arcs) {
    leaving[from].push(ends.length);
    leaving[to].push(ends.length + 1);
    ends.push(to, from);
    left.push(capacity, 0);
  }
  return { leaving, ends, left };
}

type Residual = ReturnType<typeof residualNetwork>;

/** The arc by which a shortest path with room to spare reaches each node; -1 for none. */
function shortestPaths({ leaving, ends, left }: Residual, source: number, sink: number): Int32Array {
  const by = new Int32Array(leaving.length).fill(-1);
  const queue = [source];
  for (let i = 0; i < queue.length && by[sink] < 0; i++) {
    for (const arc of leaving[queue[i]]) {
      const to = ends[arc];
      if (by[to] >= 0 || to === source || left[arc] <= 0) continue;
      by[to] = arc;
      queue.push(to);
    }
  }
  return by;
}

/** Sends as much as fits along shortest paths, until there is none. @returns whether the flow is finite. */
function fill(network: Residual, source: number, sink: number): boolean {
  const { ends, left } = network;
  for (;;) {
    const by = shortestPaths(network, source, sink);
    if (by[sink] < 0) return true;
    let room = Number.POSITIVE_INFINITY;
    for (let node = sink; node !== source; node = ends[by[node] ^ 1]) room = Math.min(room, left[by[node]]);
    if (room === Number.POSITIVE_INFINITY) return false;
    for (let node = sink; node !== source; node = ends[by[node] ^ 1]) {
      left[by[node]] -= room;
      left[by[node] ^ 1] += room;
    }
  }
}

/**
 * The cut of least capacity between source and sink that is nearest to the sink, by shortest augmenting paths [edmonds:72].
 * @returns for each node whether it is on the sink's side; `null` if every cut is infinite.
 */
export function minimumCut(
  nodes: number,
  arcs: readonly Arc[],
  { source, sink }: { readonly source: number; readonly sink: number },
): readonly boolean[] | null {
  const network = residualNetwork(nodes, arcs);
  if (!fill(network, source, sink)) return null;
  const { leaving, ends, left } = network;
  const near = new Array<boolean>(nodes).fill(false);
  near[sink] = true;
  const queue = [sink];
  for (let i = 0; i < queue.length; i++) {
    for (const arc of leaving[queue[i]]) {
      const from = ends[arc];
      if (near[from] || left[arc ^ 1] <= 0) continue;
      near[from] = true;
      queue.push(from);
    }
  }
  return near;
}
