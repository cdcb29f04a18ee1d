/** The page on which a dashboard is drawn, and its picture by a headless browser. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Drawing } from './data.ts';

const WIDTH = 1400;
const HEADER = 52;
/** Of a unit of Grafana's grid, with the gap below it. */
const CELL = 38;

const STYLE = `
  * { box-sizing: border-box; margin: 0 }
  body { background: #111217; color: #ccccdc; font: 13px Inter, 'DejaVu Sans', sans-serif; width: ${WIDTH}px }
  header { height: ${HEADER}px; padding: 12px 16px; display: flex; gap: 10px; align-items: center }
  h1 { font-size: 18px; font-weight: 500; margin-right: 20px }
  .chip { background: #22252b; border-radius: 2px; padding: 4px 10px } .chip b { color: #6e9fff; font-weight: 500; margin-right: 8px }
  main { position: relative }
  section { position: absolute; background: #181b1f; border: 1px solid #25282e; border-radius: 3px; padding: 6px 8px; overflow: hidden }
  section.row { background: none; border: none; padding: 9px 0 0 }
  h2 { font-size: 13px; font-weight: 500; height: 22px; white-space: nowrap } .row h2 { font-size: 15px }
  .body { display: flex; flex-direction: column; height: calc(100% - 22px) }
  .legend { font-size: 11px; line-height: 18px; padding-left: 6px } .item { margin-right: 12px; white-space: nowrap }
  .mark { display: inline-block; width: 14px; height: 0; border-top: 3px solid var(--color); vertical-align: middle; margin-right: 5px } .dash { border-top-style: dashed }
  .figures { flex: 1; display: flex; align-items: center; justify-content: space-around } .figure { text-align: center }
  .number { font-size: 34px; font-weight: 500 } .of { color: #9fa3ad; font-size: 12px }
  table { width: 100%; border-collapse: collapse; font-size: 13px } th { text-align: left; color: #6e9fff; font-weight: 500 }
  th, td { padding: 7px 10px; border-bottom: 1px solid #25282e }
  .states { flex: 1; display: flex; flex-direction: column; justify-content: space-evenly } .state { display: flex; align-items: center }
  .state .of { width: 130px } .bar { flex: 1; display: flex; height: 26px } .stretch { flex-basis: 0; overflow: hidden; font-size: 11px; line-height: 26px; padding-left: 6px; color: #fff; min-width: 0 }
  .empty { text-align: center; color: #9fa3ad; margin: auto }
  .u-wrap { position: relative } .uplot canvas { display: block }
`;

/** Draws with uPlot in Chromium and writes a PNG. Throws when the browser does. */
export function takePicture(drawing: Drawing, folder: string, png: string): void {
  const units = Math.max(...drawing.panels.map(({ y, h }) => y + h));
  const page = join(folder, 'page.html');
  const uplot = readFileSync('node_modules/uplot/dist/uPlot.iife.min.js', 'utf8');
  const sheet = readFileSync('node_modules/uplot/dist/uPlot.min.css', 'utf8');
  const script = readFileSync('test/pictures/draw.js', 'utf8');
  const data = JSON.stringify(drawing).replaceAll('<', '\\u003c');
  writeFileSync(
    page,
    `<!doctype html><meta charset="utf-8"><style>${sheet}${STYLE}</style><header><h1></h1></header><main></main><script>${uplot}</script><script>const DRAWING = ${data};</script><script>${script}</script>`,
  );
  const size = `${WIDTH},${HEADER + units * CELL + 8}`;
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', `--user-data-dir=${join(folder, 'browser')}`, `--window-size=${size}`, '--virtual-time-budget=4000', `--screenshot=${png}`, pathToFileURL(page).href];
  rmSync(png, { force: true });
  const { status, stderr } = spawnSync('chromium', args, { env: { ...process.env, TZ: 'UTC' }, encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) throw new Error(`chromium could not take the picture: ${stderr.slice(-2000)}`);
}
