/**
 * `npm run pictures`: the pictures of the README. Runs the demo and a real Prometheus that scrapes it, asks that Prometheus the
 * queries of the generated dashboards, and draws the answers with uPlot in headless Chromium. Grafana takes no part in it.
 * With PROMETHEUS=http://host:port in the environment, one that runs already is asked instead.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { realWorld } from '../../config/world.ts';
import { DASHBOARDS_FOLDER } from '../../metrics/dashboards/dashboards.ts';
import { type Board, draw, Prometheus } from './data.ts';
import { takePicture } from './page.ts';
import { watchedDemo } from './watched-demo.ts';

/** Long enough for rates over five minutes to have settled. */
const MINUTES = 20;
const STEP_SECONDS = 5;

interface Picture {
  readonly board: string;
  /** The first row that is left out. */
  readonly until: string;
  readonly chosen: Readonly<Record<string, string>>;
}

const PICTURES: readonly Picture[] = [
  { board: 'fleet', until: 'Links', chosen: {} },
  { board: 'leases', until: 'Where it comes from', chosen: { window: '5m' } },
];

async function takeAll(address: string, folder: string): Promise<void> {
  const toSeconds = Math.floor(realWorld.wallMs() / 1000);
  const span = { fromSeconds: toSeconds - (MINUTES - 5) * 60, toSeconds, stepSeconds: STEP_SECONDS };
  for (const { board, until, chosen } of PICTURES) {
    const found = JSON.parse(readFileSync(join(DASHBOARDS_FOLDER, `${board}.json`), 'utf8')) as Board;
    const drawing = await draw(found, new Prometheus(address), span, chosen, until);
    const empty = drawing.panels.filter(({ type, series, rows }) => type !== 'row' && series.length === 0 && rows.length === 0);
    const png = resolve('docs/pictures', `${board}.png`);
    takePicture(drawing, folder, png);
    process.stdout.write(`${png}: ${Math.round(statSync(png).size / 1000)} kB${empty.map(({ title }) => `; no data in "${title}"`).join('')}\n`);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'weighbridge-pictures-'));
try {
  const running = process.env['PROMETHEUS'];
  if (running === undefined) await watchedDemo(folder, MINUTES, (address) => takeAll(address, folder));
  else await takeAll(running, folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
