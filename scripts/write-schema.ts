// Writes schema/config.schema.json from the zod schema of configs: node --import tsx scripts/write-schema.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configJsonSchema } from '../src/experiments/config.ts';

const folder = fileURLToPath(new URL('../schema/', import.meta.url));
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}config.schema.json`, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
