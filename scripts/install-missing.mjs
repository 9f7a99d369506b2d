// Installs the packages named in package-lock.json when node_modules is missing or older than the lock file, so that one
// command works in a fresh clone.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The packages that a lock file wants, as `path@version` lines; optional ones are left out, since they differ by platform. */
function packagesOf(file) {
  try {
    const { packages } = JSON.parse(readFileSync(`${root}${file}`, 'utf8'));
    return Object.entries(packages)
      .filter(([path, entry]) => path !== '' && !entry.optional)
      .map(([path, entry]) => `${path}@${entry.version}`);
  } catch {
    return null;
  }
}

const wanted = packagesOf('package-lock.json');
const installed = new Set(packagesOf('node_modules/.package-lock.json') ?? []);
const missing = wanted === null || wanted.some((name) => !installed.has(name));

if (missing) {
  console.error('flowloom: installing packages (npm ci), once');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error(
      'flowloom: npm ci failed; its messages stand above. Run it again once the npm registry can be reached.',
    );
    process.exit(status ?? 1);
  }
}
