/** Errors on their way between threads, where only plain records can go. */
import { ConfigError, DataError, FlowError, NumericalError, ShapeError } from '../errors.ts';

/** An error as a plain record. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
}

const classes: { readonly [name: string]: new (message: string) => Error } = {
  ConfigError,
  DataError,
  FlowError,
  NumericalError,
  ShapeError,
};

/** The record of a thrown value. */
export function packError(thrown: unknown): PackedError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return { name: error.name, message: error.message, stack: error.stack ?? null };
}

/** The error of a record: of its own class if that is one that threads raise, else an `Error` with its name in the message. */
export function unpackError({ name, message, stack }: PackedError): Error {
  const known = classes[name];
  const error = known === undefined ? new Error(`${name}: ${message}`) : new known(message);
  if (stack !== null) error.stack = stack;
  return error;
}
