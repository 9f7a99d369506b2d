// Entry of a thread when flowloom runs from its TypeScript sources: Node 20 does not pass `--import tsx` on to threads.
// The thread's own file is the only argument.
import { register } from 'tsx/esm/api';

register();
await import(process.argv[2]);
