/** Debug lines: of the machines that are meant and no other, for as long as was asked, without passwords, and not without end. */
import { describe, expect, it } from 'vitest';
import { realWorld } from '../../../config/world.ts';
import { Watch } from '../../../proxy/net/watch.ts';
import { Session } from '../../../proxy/session/session.ts';

let nowMs = 1_000;
const world = { ...realWorld, monoMs: () => nowMs };

function session(...workers: string[]): Session {
  const made = new Session(1, 'north', '0.0.0.0:3333', '10.0.0.7:4028', 0);
  workers.forEach((worker, index) => made.binds.push({ number: index + 1, worker, lessee: 'acme', atMs: 1 }));
  return made;
}

function watching(glob: string): { readonly watch: Watch; readonly lines: { event: string; line?: unknown; verdict?: unknown; lines?: unknown }[] } {
  const lines: { event: string }[] = [];
  return { watch: new Watch(glob, 60_000, world, (event, fields) => lines.push({ event, ...fields })), lines };
}

describe('a watch', () => {
  it('shows what a machine whose name matches says and hears, and what came of its shares', () => {
    const { watch, lines } = watching('acme.*');
    const submit = '{"id":4,"method":"mining.submit","params":["acme.r1","a0c80001","00000000","68f0a1b2","0000002a"]}';
    watch.heard(session('acme.r1'), submit);
    watch.fact({ type: 'share', share: 9, bind: 1, job: 3, exponent: 16, verdict: 'stale', forwarding: 'not-forwarded', block: false, extranonce2: new Uint8Array(), ntime: 0, nonce: 0, version: 0, reply: { value: false, source: 'own' }, latencyUs: 0, atMs: 0 } as never);
    watch.told(session('acme.r1'), '{"id":4,"result":null,"error":[21,"Job not found",null]}\n{"id":null,"method":"mining.set_difficulty","params":[65536]}\n');
    watch.closed(session('acme.r1'), 'idle');
    expect(lines.map(({ event }) => event)).toEqual(['heard', 'share judged', 'told', 'told', 'session closed']);
    expect(lines[0]).toMatchObject({ worker: 'acme.r1', address: '10.0.0.7:4028', line: submit });
    expect(lines[1]).toMatchObject({ worker: 'acme.r1', share: 9, exponent: 16, verdict: 'stale' });
  });

  it('is silent about every other machine', () => {
    const { watch, lines } = watching('acme.*');
    const other = session('borealis.r1');
    watch.heard(other, '{"id":4,"method":"mining.submit","params":["borealis.r1"]}');
    watch.heard(session(), '{"id":1,"method":"mining.subscribe","params":[]}');
    watch.told(other, '{"id":4,"result":true,"error":null}\n');
    watch.fact({ type: 'share', bind: 1 } as never);
    watch.closed(other, 'idle');
    expect(lines).toEqual([]);
  });

  it.each([
    ['{"id":2,"method":"mining.authorize","params":["acme.r1","s3cret"]}', '{"id":2,"method":"mining.authorize","params":["acme.r1","[hidden]"]}'],
    ['{"id":2,"method":"mining.authorize","params":["acme.r1","x","s3cret"],"password":"s3cret"}', '{"id":2,"method":"mining.authorize","params":["acme.r1","[hidden]","[hidden]"]}'],
    ['{"id":2,"method":"login","params":{"login":"acme.r1","pass":"s3cret"}}', '{"id":2,"method":"login","params":"[hidden]"}'],
    ['{"id":2,"method":"mining.auth","params":["acme.r1","s3cret"]}', '{"id":2,"method":"mining.auth","params":["[hidden]","[hidden]"]}'],
    ['{"id":2,"pass":"s3cret"}', '{"id":2}'],
    ['Authorization: Basic s3cret', '27 characters that are no Stratum'],
  ])('never shows a password: %s', (said, shown) => {
    const { watch, lines } = watching('acme.*');
    watch.heard(session('acme.r1'), said);
    expect(lines.map(({ line }) => line)).toEqual([shown]);
  });

  it.each(['{"id":4,"method":"mining.submit","params":@}', '{"id":4,"result":@}'])('is not brought down by a line nested deeper than a stack: %s', (line) => {
    const { watch, lines } = watching('acme.*');
    watch.heard(session('acme.r1'), line.replace('@', `${'['.repeat(60_000)}${']'.repeat(60_000)}`));
    expect(lines.map(({ line: shown }) => shown)).toEqual(['(nested too deep to be shown)']);
  });

  it('takes a name from the authorize that gives it', () => {
    const { watch, lines } = watching('acme.r?');
    watch.heard(session(), '{"id":2,"method":"mining.authorize","params":["acme.r1","s3cret"]}');
    watch.heard(session(), '{"id":2,"method":"mining.authorize","params":["borealis.r1","s3cret"]}');
    expect(lines.map(({ line }) => line)).toEqual(['{"id":2,"method":"mining.authorize","params":["acme.r1","[hidden]"]}']);
  });

  it('ends after its time, cuts long lines and stops at five hundred a second, saying how many it left out', () => {
    const { watch, lines } = watching('*');
    const one = session('acme.r1');
    watch.told(one, `${'f'.repeat(5000)}\n`);
    expect(lines[0]?.line).toBe(`${'f'.repeat(2048)}… (5000 characters)`);
    for (let n = 0; n < 600; n += 1) watch.told(one, 'x\n');
    expect(lines).toHaveLength(500);
    nowMs += 1000;
    watch.told(one, 'x\n');
    expect(lines.slice(500)).toEqual([{ event: 'debug lines dropped', lines: 101 }, expect.objectContaining({ event: 'told' })]);
    expect(watch.over).toBe(false);
    nowMs += 60_000;
    expect(watch.over).toBe(true);
  });
});
