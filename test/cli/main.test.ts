/** The command line as a whole: finding commands and options, help, exit codes, one sentence for every failure. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../cli/commands.ts';
import { editDistance, nearest } from '../../cli/suggest.ts';
import { run } from './cli-fixture.ts';

const directory = mkdtempSync(join(tmpdir(), 'wb-cli-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const RIGHT = `
sites: { north: { listen: [ "127.0.0.1:3333" ] } }
pools: { main: { url: stratum+tcp://127.0.0.1:1, user: acme } }
routes: [ { pools: [ main ] } ]
`;

describe('finding the command', () => {
  it('runs the demo without arguments, and start with --config alone', async () => {
    expect((await run([])).demos).toEqual([{ dataDir: resolve('demo-data') }]);
    expect((await run(['--seconds', '5'])).demos).toEqual([{ dataDir: resolve('demo-data'), seconds: 5 }]);
    expect((await run(['demo', '--seconds=7', '--data', directory])).demos).toEqual([{ dataDir: directory, seconds: 7 }]);
    const missing = join(directory, 'missing.yaml');
    const start = await run(['--config', missing]);
    expect(start).toMatchObject({ code: 1, demos: [] });
    expect(start.err).toContain(missing);
  });

  it('suggests the nearest command and option, with exit code 2', async () => {
    expect(await run(['legder'])).toMatchObject({ code: 2, err: 'There is no command "legder"; did you mean ledger?\n' });
    expect(await run(['frobnicate'])).toMatchObject({ code: 2, err: expect.stringContaining('there are start, demo') });
    expect(await run(['machines', '--darkk'])).toMatchObject({ code: 2, err: '`weighbridge machines` has no option --darkk; did you mean --dark?\n' });
    expect(await run(['stop', '--zzz'])).toMatchObject({ code: 2, err: '`weighbridge stop` has no option --zzz; see `weighbridge stop --help`.\n' });
    expect(await run(['machines', '-x'])).toMatchObject({ code: 2 });
  });

  it('refuses values that are missing, doubled, superfluous or no number', async () => {
    expect(await run(['ledger', '--by'])).toMatchObject({ code: 2, err: '--by needs a value: --by site|lessee|lease|worker|pool.\n' });
    expect(await run(['ledger', '--by', '--json'])).toMatchObject({ code: 2, err: expect.stringContaining('--by needs a value') });
    expect(await run(['status', '--json=yes'])).toMatchObject({ code: 2, err: '--json takes no value.\n' });
    expect(await run(['ledger', '--by', 'site', '--by', 'pool'])).toMatchObject({ code: 2, err: expect.stringContaining('given twice') });
    expect(await run(['status', 'north'])).toMatchObject({ code: 2, err: expect.stringContaining('does not take "north"') });
    expect(await run(['demo', '--seconds', '0'])).toMatchObject({ code: 2, err: expect.stringContaining('not a whole number from 1') });
    expect(await run(['status', '--config', 'a', '--data', 'b'])).toMatchObject({ code: 2, err: expect.stringContaining('give one of them') });
    expect(await run(['status'])).toMatchObject({ code: 2, err: expect.stringContaining('Say which instance') });
  });

  it.each(COMMANDS.map(({ name }) => name))('explains %s with an example', async (name) => {
    const { code, out } = await run([name, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Examples?:\\n  .*weighbridge ${name}`));
    expect((await run(['help', name])).out).toBe(out);
  });

  it('gives an overview of every command, and the version', async () => {
    const { out } = await run(['--help']);
    const width = Math.max(...COMMANDS.map(({ name }) => name.length));
    for (const { name, summary } of COMMANDS) expect(out).toContain(`${name.padEnd(width)}  ${summary}`);
    expect((await run(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('check and schema', () => {
  it('say what is right', async () => {
    const path = file('right.yaml', RIGHT);
    expect(await run(['check', '--config', path])).toMatchObject({ code: 0, out: expect.stringContaining('is right: 1 site, 1 pool, 1 route') });
    expect(JSON.parse((await run(['check', '--config', path, '--json'])).out)).toEqual({ file: path, ok: true, problems: [] });
  });

  it('report all problems at once with path and line', async () => {
    const path = file('wrong.yaml', `${RIGHT}frobnicate: 1\nreply: perhaps\n`);
    const { code, out, err } = await run(['check', '--config', path]);
    expect(code).toBe(1);
    expect(out).toMatch(/wrong\.yaml:5: frobnicate /);
    expect(out).toMatch(/wrong\.yaml:6: reply /);
    expect(err).toMatch(/^2 problems in /);
    const json: unknown = JSON.parse((await run(['check', '--config', path, '--json'])).out);
    expect(json).toMatchObject({ ok: false, problems: [{ path: 'frobnicate', line: 5 }, { path: 'reply', line: 6 }] });
    expect((await run(['start', '--config', path])).err).toMatch(/wrong\.yaml:5: frobnicate .*and 1 more; see `weighbridge check/);
  });

  it('print a schema that editors take', async () => {
    const { code, out } = await run(['schema']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ type: 'object', properties: { pools: {}, routes: {}, sites: {} } });
  });
});

describe('explain', () => {
  it('takes a file or standard input, and refuses what is not a share', async () => {
    expect(await run(['explain'])).toMatchObject({ code: 2, err: expect.stringContaining('Say which share') });
    expect(await run(['explain', join(directory, 'none.json')])).toMatchObject({ code: 1, err: expect.stringContaining('cannot be read') });
    expect(await run(['explain', '-'], { stdin: '{' })).toMatchObject({ code: 1, err: expect.stringContaining('Standard input is not JSON') });
    const empty = await run(['explain', '-'], { stdin: '{}' });
    expect(empty.code).toBe(1);
    expect(JSON.parse(empty.out)).toMatchObject({ problems: expect.any(Array) });
  });
});

describe('commands on a stopped instance', () => {
  it.each(['status', 'machines', 'stop'])('%s says that none runs', async (name) => {
    expect(await run([name, '--data', directory])).toMatchObject({ code: 1, out: '', err: `No instance runs on ${directory}; start one with \`weighbridge start --config FILE\`.\n` });
  });

  it('leave nothing behind in a directory that was no instance', () => {
    expect(readdirSync(directory).filter((name) => !name.endsWith('.yaml'))).toEqual([]);
  });
});

describe('what was meant', () => {
  it('is found through swaps, drops and beginnings', () => {
    expect(editDistance('legder', 'ledger')).toBe(1);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(nearest('conf', ['config', 'data'])).toBe('config');
    expect(nearest('x', ['config', 'data'])).toBeUndefined();
    expect(nearest('jsn', ['json', 'csv'])).toBe('json');
  });
});
