/** That the host's own file system really forces what the journal takes for forced: no other test would notice. */
import { constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { platform } from 'node:process';
import { expect, it } from 'vitest';
import { realFs } from '../../../accounting/journal/fs.ts';
import { temporaryDirectory } from './support.ts';

it.runIf(platform === 'linux')('a file opened to be written through is so to the kernel, and is the one that was created', async () => {
  const path = join(temporaryDirectory(), 'segment');
  const plain = await realFs.create(path);
  const through = await realFs.openThrough?.(path);
  if (through === undefined) throw new Error('Linux writes through');
  const flagsOf = (descriptor: number): number => parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1] ?? '', 8);
  expect([flagsOf(plain) & constants.O_DSYNC, flagsOf(through) & constants.O_DSYNC]).toEqual([0, constants.O_DSYNC]);
  await realFs.write(through, Buffer.from('records'), 0, 7, 0);
  await realFs.write(plain, Buffer.from('marker'), 0, 6, 7);
  expect(readFileSync(path, 'utf8')).toBe('recordsmarker');
  await Promise.all([realFs.close(plain), realFs.close(through)]);
});
