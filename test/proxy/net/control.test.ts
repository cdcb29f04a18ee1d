/** The control socket: answers, refusals, time limits, long paths, and peers that misbehave. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Client } from 'net-ipc';
import { afterEach, describe, expect, it } from 'vitest';
import { realWorld } from '../../../config/world.ts';
import { askInstance, startControl, type ControlHandler, type ControlServer } from '../../../proxy/net/control.ts';
import { acquireLock, findControlSocket, placeControlSocket, type InstanceLock } from '../../../proxy/net/instance.ts';
import { scene, type Scene, until } from './instance-fixture.ts';

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function newScene(...args: Parameters<typeof scene>): Scene {
  const made = scene(...args);
  ends.push(() => made.end());
  return made;
}

async function serve(data: string, handle: ControlHandler): Promise<{ lock: InstanceLock; server: ControlServer; path: string }> {
  const lock = acquireLock(data, realWorld.random);
  const path = placeControlSocket(data);
  const server = await startControl(path, realWorld, handle);
  ends.push(() => {
    server.close();
    lock.release();
  });
  return { lock, server, path };
}

describe('the control socket of an instance', () => {
  it('answers status, machines and stop; a stopped instance is said to be stopped', async () => {
    const s = newScene();
    const supervisor = await s.start();
    expect((await askInstance(s.data, 'status', realWorld, 2000)).data).toBe(s.data);
    expect(await askInstance(s.data, 'machines', realWorld, 2000)).toHaveLength(1);
    expect(await askInstance(s.data, 'stop', realWorld, 2000)).toEqual({ pid: process.pid });
    await supervisor.stopped;
    await expect(askInstance(s.data, 'status', realWorld, 2000)).rejects.toThrow(`No instance runs on ${s.data}`);
  });

  it('is for its owner alone', async () => {
    const { data } = newScene();
    const { path } = await serve(data, () => Promise.resolve({ ok: true, value: { pid: 1 } }));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
  });
});

describe('one exchange', () => {
  it('carries big integers as decimal text', async () => {
    const { data } = newScene();
    const value: unknown = { pid: 2n ** 70n };
    await serve(data, () => Promise.resolve({ ok: true, value: value as { pid: number } }));
    expect(await askInstance(data, 'stop', realWorld, 2000)).toEqual({ pid: '1180591620717411303424' });
  });

  it('relays a refusal, and a failing handler as a sentence', async () => {
    const { data } = newScene();
    let failing = false;
    await serve(data, () => (failing ? Promise.reject(new Error('no luck')) : Promise.resolve({ ok: false, sentence: 'Not now.' })));
    await expect(askInstance(data, 'status', realWorld, 2000)).rejects.toThrow('Not now.');
    failing = true;
    await expect(askInstance(data, 'status', realWorld, 2000)).rejects.toThrow('The instance could not answer: no luck.');
  });

  it('carries an answer of several megabytes', async () => {
    const { data } = newScene();
    const machines = Array.from({ length: 20_000 }, (_, i) => ({ worker: `acme.rack-${i}`, firmware: 'x'.repeat(100) }));
    await serve(data, () => Promise.resolve({ ok: true, value: machines as never }));
    expect(await askInstance(data, 'machines', realWorld, 5000)).toHaveLength(20_000);
  });

  it('gives up at its time limit, and at once when the instance dies', async () => {
    const { data } = newScene();
    let asked: () => void = () => undefined;
    const { server } = await serve(data, () => new Promise(() => asked()));
    await expect(askInstance(data, 'status', realWorld, 50)).rejects.toThrow('gave no answer within 50 ms');
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    const waiting = askInstance(data, 'status', realWorld, 5000);
    await arrived;
    server.close();
    await expect(waiting).rejects.toThrow('was closed before it answered');
  });

  it('says when the socket is missing or belongs to something else', async () => {
    const { data } = newScene();
    const lock = acquireLock(data, realWorld.random);
    ends.push(() => lock.release());
    await expect(askInstance(data, 'status', realWorld, 2000)).rejects.toThrow('cannot be reached');
    const other = createServer((socket) => socket.end('HTTP/1.1 400 no\r\n'));
    ends.push(() => void other.close());
    await new Promise<void>((resolve) => other.listen(findControlSocket(data), resolve));
    await expect(askInstance(data, 'status', realWorld, 1000)).rejects.toThrow(/control socket/);
  });

  it('survives bytes that are not the protocol', async () => {
    const { data } = newScene();
    const { path } = await serve(data, () => Promise.resolve({ ok: true, value: { pid: 1 } }));
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', 'IPC{}', 'IPC\x82{}', 'IPC\x84null', `IPC${'\x7f'.repeat(20)}\xff{`, 'IPC\x04\x00\x00\x80{', 'x', '']) {
      const socket = connect(path);
      await new Promise<void>((resolve) => {
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.on('connect', () => socket.end(Buffer.from(bytes, 'latin1')));
        socket.resume();
        realWorld.after(100, () => socket.destroy());
      });
    }
    expect(await askInstance(data, 'stop', realWorld, 2000)).toEqual({ pid: 1 });
  });
});

describe('the end of the control socket', () => {
  it('is not the end of the process when a peer had left before its handshake was answered', async () => {
    const { data } = newScene();
    const { path, server } = await serve(data, () => Promise.resolve({ ok: true, value: { pid: 1 } }));
    const rejections: unknown[] = [];
    const note = (error: unknown): void => void rejections.push(error);
    // What a write to a peer that has left comes to.
    const leave = (message: unknown): void => {
      const { socket } = message as { readonly socket: Socket };
      socket._write = () => void socket.destroy();
    };
    process.on('unhandledRejection', note);
    subscribe('net.server.socket', leave);
    ends.push(() => {
      process.off('unhandledRejection', note);
      unsubscribe('net.server.socket', leave);
    });
    await expect(askInstance(data, 'stop', realWorld, 2000)).rejects.toThrow('was closed before it answered');
    unsubscribe('net.server.socket', leave);
    const stays = new Client({ path, reconnect: false });
    await stays.connect();
    server.close();
    await new Promise((resolve) => stays.once('close', resolve));
    expect(rejections).toEqual([]);
  });
});

describe('the place of the socket', () => {
  it('moves to a short private directory when the data directory is deep, and goes with the lock', async () => {
    const { data } = newScene('normal', `${'deep/'.repeat(30)}data`);
    const { lock, server, path } = await serve(data, () => Promise.resolve({ ok: true, value: { pid: 3 } }));
    expect(path.length).toBeLessThan(100);
    expect(findControlSocket(data)).toBe(path);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    expect(await askInstance(data, 'stop', realWorld, 2000)).toEqual({ pid: 3 });
    // A killed instance leaves its place behind; the next one clears it away.
    server.close();
    const next = placeControlSocket(data);
    expect(existsSync(join(path, '..'))).toBe(false);
    lock.release();
    expect(existsSync(join(next, '..'))).toBe(false);
    expect(existsSync(join(data, 'control', 'address'))).toBe(false);
  });

  it('does not follow an address that others could have written', async () => {
    const { data, directory } = newScene();
    const lock = acquireLock(data, realWorld.random);
    ends.push(() => lock.release());
    const open = join(directory, 'open');
    mkdirSync(open, { mode: 0o755 });
    symlinkSync(join(open, 'socket'), join(data, 'control', 'address'));
    expect(findControlSocket(data)).toBe(join(data, 'control', 'socket'));
    placeControlSocket(data);
    expect(existsSync(open)).toBe(true);
    rmSync(open, { recursive: true });
  });

  it('fails with a sentence when it cannot listen', async () => {
    const { directory } = newScene();
    const at = join(directory, 'no', 'such', 'directory', 'socket');
    await expect(startControl(at, realWorld, () => Promise.reject(new Error('unused')))).rejects.toThrow('cannot be opened');
  });
});

describe('passwords', () => {
  it('do not reach the accountant, the status or the log', async () => {
    const s = newScene();
    const supervisor = await s.start();
    const status = await until(() => supervisor.status());
    expect(status.accountant?.problem).toBe('');
    expect(JSON.stringify(status) + s.logLines.join('')).not.toContain('secret-word');
    const pid = status.accountant?.pid ?? 0;
    const args = existsSync('/proc') ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') : [];
    expect(args.map((arg) => Buffer.from(arg, 'base64url').toString()).join('')).not.toContain('secret-word');
  });
});
