/** Tasks under way at the same time: enough for the threads that decode, few enough that their files fit into memory. */
const atOnce = 16;

/**
 * Runs `task` for 0, ..., count - 1, started in this order, at most 16 at a time; none is started after a fault.
 *
 * @throws what a failing task threw, once no task is under way.
 */
export async function eachConcurrently(count: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    try {
      while (next < count) await task(next++);
    } catch (error) {
      next = count;
      throw error;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(atOnce, count) }, work));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
