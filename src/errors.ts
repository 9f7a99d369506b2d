/**
 * The errors that a caller can meet, by cause. Messages follow one grammar:
 * ``Expected `time` to be [batch] = [64]; got [32]. In path/affine sample. Try ...``
 */

/** Parts of a message in the house grammar. */
export interface Expectation {
  /** What was wanted, starting with the name of the thing in backticks: "`time` to be [batch] = [64]". */
  readonly expected: string;
  /** What was met instead. */
  readonly got: string;
  /** Where: folder/file and function or operation. */
  readonly where?: string;
  /** A remedy, as an imperative clause without the word "Try". */
  readonly remedy?: string;
  readonly cause?: unknown;
}

function sentence({ expected, got, where, remedy }: Expectation): string {
  const place = where === undefined ? '' : ` In ${where}.`;
  const advice = remedy === undefined ? '' : ` Try ${remedy}.`;
  return `Expected ${expected}; got ${got}.${place}${advice}`;
}

/** Base of every error that flowloom raises on purpose; an error of another class is a defect of flowloom. */
export class FlowError extends Error {
  override readonly name: string = 'FlowError';
  /** Process exit status when the error reaches the command line: 2 for a user's mistake, 1 for a failure. */
  readonly exitStatus: number = 1;

  constructor(message: string | Expectation, options?: { readonly cause?: unknown }) {
    super(typeof message === 'string' ? message : sentence(message), options);
    if (typeof message !== 'string' && message.cause !== undefined) this.cause = message.cause;
  }
}

/** Shapes or dtypes that do not fit together. */
export class ShapeError extends FlowError {
  override readonly name = 'ShapeError';
}

/** A config, flag or argument that the user can correct. */
export class ConfigError extends FlowError {
  override readonly name = 'ConfigError';
  override readonly exitStatus = 2;
}

/** Input files that are missing, damaged or of another format. */
export class DataError extends FlowError {
  override readonly name = 'DataError';
  override readonly exitStatus = 2;
}

/** A value that is not finite, or a computation that did not converge. */
export class NumericalError extends FlowError {
  override readonly name = 'NumericalError';
}

/** A checkpoint that is missing, damaged, of another format or in use by another process. */
export class CheckpointError extends FlowError {
  override readonly name = 'CheckpointError';
}

/** A failure that ONNX Runtime reported. */
export class RuntimeError extends FlowError {
  override readonly name = 'RuntimeError';
}

/** The error to throw where only a defect of flowloom can lead. */
export function internalError(message: string): FlowError {
  return new FlowError(`Internal error, please report: ${message}`);
}
