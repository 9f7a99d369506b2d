// Writes schema/*.schema.json from the zod schemas of configs: node --import tsx scripts/write-schema.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { autoencoderJsonSchema } from '../src/experiments/autoencoder-config.ts';
import { configJsonSchema } from '../src/experiments/config.ts';
import { stagesJsonSchema } from '../src/experiments/stages-config.ts';

const folder = fileURLToPath(new URL('../schema/', import.meta.url));
mkdirSync(folder, { recursive: true });
const schemas = { config: configJsonSchema(), autoencoder: autoencoderJsonSchema(), stages: stagesJsonSchema() };
for (const [name, schema] of Object.entries(schemas)) {
  writeFileSync(`${folder}${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`);
}
