/** Refuses pickle files by their content: to read one is to run the program in it. */
import { closeSync, openSync, readSync } from 'node:fs';
import { DataError } from '../errors.ts';

/** The line of Python that writes the tensors of a pickle file as safetensors. */
export const pickleConversion =
  'python -c "import sys, torch, safetensors.torch as s; ' +
  "s.save_file({k: v.clone() for k, v in torch.load(sys.argv[1], 'cpu', weights_only=True).items()}, sys.argv[2])\" " +
  'weights.pt weights.safetensors';

/** First bytes of a zip archive, as PyTorch writes pickles since version 1.6. */
const zipMagic = [0x50, 0x4b, 0x03, 0x04];
/** First byte of a pickle of protocol 2 and later; the second is the protocol, of which there are five. */
const pickleMagic = 0x80;
const lastProtocol = 5;

/** Whether a file's first bytes are those of a pickle, or of an archive that holds one. */
export function isPickle(bytes: Uint8Array): boolean {
  if (zipMagic.every((byte, i) => bytes[i] === byte)) return true;
  // A safetensors file may begin with 0x80, too, in the length of its header; that is below 2^56 and is followed by "{".
  const isHeader = bytes[7] === 0 && bytes[8] === 0x7b;
  return bytes[0] === pickleMagic && bytes[1]! >= 2 && bytes[1]! <= lastProtocol && !isHeader;
}

function firstBytes(path: string): Uint8Array {
  const bytes = new Uint8Array(9);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new DataError({ expected: `${path} to be a file that can be read`, got, where: 'formats', cause });
  }
  try {
    return bytes.subarray(0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

/** @throws DataError if the file cannot be read or is a pickle; the message has the line that converts it. */
export function refusePickle(path: string): void {
  if (!isPickle(firstBytes(path))) return;
  throw new DataError({
    expected: `${path} to be a safetensors file`,
    got: 'a pickle file, which is a program that reading would run',
    where: 'formats/refuse-pickle',
    remedy: `to convert it where you trust it: ${pickleConversion}`,
  });
}
