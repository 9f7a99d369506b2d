import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findLibrary } from '../../../src/engine/native/library.ts';
import { statusError } from '../../../src/engine/native/ort-api.ts';
import { RuntimeError } from '../../../src/errors.ts';

describe('findLibrary', () => {
  test('finds the library of this machine', () => {
    expect(existsSync(findLibrary())).toBe(true);
  });

  test('says which machines there are libraries for', () => {
    expect(() => findLibrary('linux', 'mips')).toThrow(RuntimeError);
    expect(() => findLibrary('aix', 'ppc64')).toThrow(
      'Expected onnxruntime-node to hold a library for aix ppc64; got none. In engine/native/findLibrary. ' +
        'Try Linux or Windows on x64 or arm64, or macOS on arm64; on these, reinstall with `npm ci`.',
    );
  });
});

describe('statusError', () => {
  test('names the node that failed and keeps what it said', () => {
    const message = `Non-zero status code returned while running Add node. Name:'block 2/add' Status Message: a.cc:5 no\nfit`;
    expect(statusError(message).message).toBe('Expected node `block 2/add` (Add) to run; got "a.cc:5 no\nfit".');
  });

  test('passes on other messages as they are', () => {
    expect(statusError('No such thing. ').message).toBe('ONNX Runtime failed: No such thing.');
  });
});
