/** Logging: one JSON object a line, no password, lines for people, children that log as their supervisor does. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { childLogEnvironment, createChildLogger, createLogger } from '../../config/log.ts';
import { prettyLine } from '../../config/log-pretty.ts';

describe('the log', () => {
  it('is JSON with the process, the level by name and an ISO time, and hides passwords wherever they are', () => {
    const directory = mkdtempSync(join(tmpdir(), 'wb-log-'));
    const path = join(directory, 'a', 'log');
    const log = createLogger('proxy', { kind: 'file', path });
    log.info({ password: 'hush', pool: { password: 'hush' }, pools: { main: { password: 'hush', user: 'acme' } } }, 'Hello.');
    const line = readFileSync(path, 'utf8');
    expect(line).not.toContain('hush');
    expect(JSON.parse(line)).toMatchObject({ level: 'info', process: 'proxy', msg: 'Hello.', pools: { main: { user: 'acme' } }, time: expect.stringMatching(/^\d{4}-.*Z$/) });
    rmSync(directory, { recursive: true });
  });

  it('goes where the supervisor of a child has said', () => {
    const directory = mkdtempSync(join(tmpdir(), 'wb-log-'));
    const path = join(directory, 'log');
    const before = { ...process.env };
    Object.assign(process.env, childLogEnvironment({ kind: 'file', path }));
    try {
      createChildLogger('accountant').warn('Here.');
    } finally {
      process.env = before;
    }
    expect(readFileSync(path, 'utf8')).toContain('"msg":"Here."');
    rmSync(directory, { recursive: true });
  });

  it('has lines for people', () => {
    const line = JSON.stringify({ level: 'warn', time: '2026-03-01T12:34:56.789Z', process: 'proxy', pool: 'main', retryMs: 598, msg: 'link ended' });
    expect(prettyLine(line)).toBe('12:34:56 warn  proxy      link ended pool=main retryMs=598');
    expect(prettyLine('not JSON')).toBe('not JSON');
    expect(prettyLine('7')).toBe('7');
  });
});
