/** Execution providers other than the CPU. */
import { RuntimeError } from '../../errors.ts';
import type { Provider } from '../runtime.ts';
import type { Pointer } from './executor.ts';
import type { OrtApi } from './ort-api.ts';

type Append = (api: OrtApi, sessionOptions: Pointer) => void;

const append: { readonly [K in Provider]: Append } = {
  // Always present.
  cpu: () => {},
  webgpu: (api, options) => api.call('SessionOptionsAppendExecutionProvider', options, 'WebGPU', [], [], 0),
  cuda: (api, options) => {
    const cuda = api.create('CreateCUDAProviderOptions');
    try {
      api.call('SessionOptionsAppendExecutionProvider_CUDA_V2', options, cuda);
    } finally {
      api.release('ReleaseCUDAProviderOptions', cuda);
    }
  },
};

const remedies: { readonly [K in Provider]: string } = {
  cpu: 'reinstalling with `npm ci`',
  webgpu: 'a GPU with a Vulkan, Metal or Direct3D 12 driver, or provider cpu',
  cuda:
    'CUDA 12 with cuDNN 9 and an onnxruntime-node whose install step fetched the CUDA libraries ' +
    '(take `onnxruntime-node-install=skip` out of .npmrc and reinstall), or provider cpu',
};

/** Adds a provider to session options. @throws RuntimeError with a remedy if the library or the machine does not have it. */
export function appendProvider(api: OrtApi, sessionOptions: Pointer, provider: Provider): void {
  try {
    append[provider](api, sessionOptions);
  } catch (cause) {
    throw providerError(provider, cause);
  }
}

/** The error for a provider that does not start. */
export function providerError(provider: Provider, cause: unknown): RuntimeError {
  return new RuntimeError({
    expected: `provider ${provider} to start`,
    got: `"${cause instanceof Error ? cause.message : cause}"`,
    where: 'engine/native/appendProvider',
    remedy: remedies[provider],
    cause,
  });
}
