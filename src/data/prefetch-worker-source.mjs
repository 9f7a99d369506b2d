// Entry of a prefetch thread when flowloom runs from its TypeScript sources: Node 20 does not pass `--import tsx` on to threads.
import { register } from 'tsx/esm/api';

register();
await import('./prefetch-worker.ts');
