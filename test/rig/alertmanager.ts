/** The real Alertmanager for tests, as Debian packages it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureInstalled } from './debian.ts';
import { freePort, until } from './redis.ts';

const PROGRAM = 'prometheus-alertmanager';

export function installAlertmanager(): boolean {
  return ensureInstalled(PROGRAM, PROGRAM);
}

type Labels = Readonly<Record<string, string>>;

/** An alert by its labels, and whether another keeps it from being told. */
export interface HeldAlert {
  readonly labels: Labels;
  readonly inhibited: boolean;
}

/**
 * What an Alertmanager with this configuration file makes of alerts that fire, in any order, once it has seen them all.
 * `last` are two of which one silences the other and which no other concerns.
 */
export async function alertmanagerHolds(configuration: string, firing: readonly Labels[], last: readonly [Labels, Labels]): Promise<HeldAlert[]> {
  if (!installAlertmanager()) {
    throw new Error(`These tests need ${PROGRAM}, which is missing and could not be installed: install it (Debian: apt-get install ${PROGRAM}) and run the tests again.`);
  }
  const [port, directory] = [await freePort(), mkdtempSync(join(tmpdir(), 'wb-alertmanager-'))];
  const args = [`--config.file=${configuration}`, `--storage.path=${directory}`, `--web.listen-address=127.0.0.1:${port}`, '--cluster.listen-address='];
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const url = `http://127.0.0.1:${port}`;
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`${PROGRAM} did not start:\n${said}`);
      return fetch(`${url}/-/ready`).then((response) => response.ok, () => false);
    }, `${PROGRAM} is ready`);
    const post = async (alerts: readonly Labels[]): Promise<void> => {
      const body = JSON.stringify(alerts.map((labels) => ({ labels })));
      const posted = await fetch(`${url}/api/v2/alerts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      if (!posted.ok) throw new Error(await posted.text());
    };
    await post(firing);
    await post(last);
    let held: HeldAlert[] = [];
    // It takes alerts in order: when what came last is silenced, all before has been weighed.
    await until(async () => {
      const alerts = (await (await fetch(`${url}/api/v2/alerts`)).json()) as { labels: Record<string, string>; status: { inhibitedBy: string[] } }[];
      held = alerts.map(({ labels, status }) => ({ labels, inhibited: status.inhibitedBy.length > 0 }));
      return held.length === firing.length + last.length && held.filter(({ inhibited, labels }) => inhibited && last.some((each) => JSON.stringify(each) === JSON.stringify(labels))).length === 1;
    }, `${PROGRAM} has weighed every alert`);
    return held;
  } finally {
    child.kill('SIGKILL');
    await exited;
    rmSync(directory, { recursive: true, force: true });
  }
}
