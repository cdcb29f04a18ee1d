/** Runs of an instance know each other's extranonces by a file that all append to. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ExtranonceFile, trimExtranonces } from '../../../proxy/net/extranonce-file.ts';

let directory = '';
const problems: string[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weighbridge-extranonces-'));
  problems.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const run = (bootTag: string, at = directory): ExtranonceFile => new ExtranonceFile(at, bootTag, (why) => problems.push(why));
const path = (): string => join(directory, 'extranonces.txt');

describe('noted extranonces', () => {
  it('are known to the other runs, those beside and those after, and are none of the own', () => {
    const [first, second] = [run('b001'), run('b002')];
    expect([first.lastNtime('0a0b'), second.lastNtime('0a0b')]).toEqual([undefined, undefined]);
    first.note('0a0b', 0);
    expect([first.lastNtime('0a0b'), second.lastNtime('0a0b'), second.lastNtime('0c')]).toEqual([undefined, 0, undefined]);
    first.note('0a0b', 1000);
    second.note('0a0b', 900);
    expect([first.lastNtime('0a0b'), second.lastNtime('0a0b'), run('b003').lastNtime('0a0b')]).toEqual([900, 1000, 1000]);
  });

  it('are written once, and again only for a later time', () => {
    const first = run('b001');
    for (const ntime of [0, 0, 5, 3, 5, 6]) first.note('0a0b', ntime);
    expect(readFileSync(path(), 'latin1')).toBe('b001 0a0b 0\nb001 0a0b 5\nb001 0a0b 6\n');
  });

  it('are read in whole lines, and what is none is passed over', () => {
    const first = run('b001');
    writeFileSync(path(), 'nonsense\n\nb002 0a0b x\nb002 0a0b 7\nb002 0c0d 1');
    expect([first.lastNtime('0a0b'), first.lastNtime('0c0d')]).toEqual([7, undefined]);
    appendFileSync(path(), '2\n');
    expect(first.lastNtime('0c0d')).toBe(12);
  });

  it('are cut to the newer half at a start, when they are too many', () => {
    trimExtranonces(directory);
    const lines = (from: number): string => Array.from({ length: 50_000 }, (_, index) => `b002 ${(from + index).toString(16).padStart(8, '0')} 0\n`).join('');
    writeFileSync(path(), lines(0));
    trimExtranonces(directory);
    expect(statSync(path()).size).toBe(50_000 * 16);
    appendFileSync(path(), lines(50_000));
    trimExtranonces(directory);
    expect(statSync(path()).size).toBeLessThanOrEqual(2 ** 19);
    const first = run('b001');
    expect([first.lastNtime('00000000'), first.lastNtime((99_999).toString(16).padStart(8, '0'))]).toEqual([undefined, 0]);
  });

  it('that cannot be written are a problem, said with each', () => {
    const first = run('b001', join(directory, 'nowhere'));
    first.note('0a0b', 0);
    expect(problems).toEqual([expect.stringContaining('ENOENT')]);
    expect(first.lastNtime('0a0b')).toBeUndefined();
  });
});
