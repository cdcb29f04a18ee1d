/** The catalogue of log events against the code that writes them, and the documentation made of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LOG_EVENTS, logsMarkdown } from '../../config/log-events.ts';

// `npx vitest run test/config/log-events.test.ts -u` writes the file anew.
it('docs/logs.md is what the catalogue says', async () => {
  await expect(logsMarkdown()).toMatchFileSnapshot('../../docs/logs.md');
});

it('every event is written somewhere, and nothing is logged but events', () => {
  const code = ['accounting', 'cli', 'proxy']
    .flatMap((room) => readdirSync(room, { recursive: true, encoding: 'utf8' }).map((name) => join(room, name)))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  expect(Object.keys(LOG_EVENTS).filter((event) => !code.some(({ text }) => text.includes(`'${event}'`)))).toEqual([]);
  expect(code.filter(({ text }) => /\blog\.(trace|debug|info|warn|error|fatal)\(/.test(text)).map(({ path }) => path)).toEqual([]);
});
