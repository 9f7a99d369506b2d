/** Flags about sampling, as changes of settings. */
export interface SamplingFlags {
  readonly solver?: string;
  readonly steps?: number;
  readonly tolerance?: number;
  readonly guidance?: number;
  readonly lastStep?: number;
  readonly set: readonly string[];
}

/** Texts of the form path=value, those of `--set` last. */
export function samplingChanges({ solver, steps, tolerance, guidance, lastStep, set }: SamplingFlags): string[] {
  const given = (path: string, value: unknown) => (value === undefined ? [] : [`${path}=${JSON.stringify(value)}`]);
  return [
    ...given('sampling.solver.kind', solver),
    ...given('sampling.solver.steps', steps),
    ...given('sampling.solver.relativeTolerance', tolerance),
    ...given('sampling.solver.absoluteTolerance', tolerance),
    ...given('sampling.guidance', guidance),
    ...given('lastStep', lastStep),
    ...set,
  ];
}
