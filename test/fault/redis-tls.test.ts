/** The shared ledger over TLS: a certificate that is not trusted is said and publishes nothing; a trusted one does, under load. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { RedisRig } from '../rig/redis.ts';
import { totals } from './books.ts';
import { freePort, Instance, makeDirectory } from './instance.ts';
import { Load } from './load.ts';
import { settle } from './scenario.ts';
import { acceptedIn, expectSharedBooks } from './shared-books.ts';
import { Cleanup, until } from './waiting.ts';

const SEED = 208;
const cleanup = new Cleanup();
afterEach(() => cleanup.run());

interface Certificate {
  readonly key: string;
  readonly certificate: string;
}

/** A key and a certificate for 127.0.0.1 that vouches for itself. */
function selfMade(): Certificate {
  const directory = makeDirectory(cleanup);
  const made = { key: join(directory, 'key.pem'), certificate: join(directory, 'certificate.pem') };
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650', '-subj', '/CN=weighbridge test'];
  try {
    execFileSync('openssl', [...args, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', made.key, '-out', made.certificate], { stdio: 'pipe' });
  } catch (error) {
    throw new Error('This test makes a certificate with openssl, which is missing or too old: install it (Debian: apt-get install openssl) and run the tests again.', { cause: error });
  }
  return made;
}

/** Processes started from now on also trust this certificate, as docs/redis.md tells an operator to arrange. */
function trust(certificate: string): void {
  const before = process.env['NODE_EXTRA_CA_CERTS'];
  process.env['NODE_EXTRA_CA_CERTS'] = certificate;
  cleanup.add(() => {
    if (before === undefined) delete process.env['NODE_EXTRA_CA_CERTS'];
    else process.env['NODE_EXTRA_CA_CERTS'] = before;
  });
}

describe('Redis behind TLS', () => {
  it('is published to once its certificate is trusted, and only then', async () => {
    const { key, certificate } = selfMade();
    const tlsPort = await freePort();
    const rig = await RedisRig.single(['--tls-port', String(tlsPort), '--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no']);
    cleanup.add(() => rig.dispose());
    const load = await Load.begin(SEED, cleanup);
    const options = { dataDir: makeDirectory(cleanup), port: await freePort(), poolUrl: load.pool.url, redisUrl: `rediss://127.0.0.1:${tlsPort}` };
    const doubting = await Instance.start(options, cleanup);
    await load.connect(options.port, SEED);
    await until('the untrusted certificate is said', async () => /self-signed certificate/.test((await doubting.status()).accountant?.redis?.problem ?? ''));
    await load.answers(100);
    await doubting.stop();
    expect(await acceptedIn(rig)).toMatchObject({ delivered_minute: 0 });

    trust(certificate);
    const trusting = await Instance.start(options, cleanup);
    await load.allMine();
    await load.answers(100);
    await until('the shared ledger is published to', async () => (await acceptedIn(rig)).delivered_minute > 100);
    await load.rest();
    await trusting.stop();
    await settle(options.dataDir, rig);
    await expectSharedBooks(rig, [{ dataDir: options.dataDir, records: load.records() }]);
    expect(totals(options.dataDir).get('accepted')).toBeGreaterThan(200);
  }, 90_000);
});
