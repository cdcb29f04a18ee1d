/* Draws the panels of a dashboard in a browser with uPlot: what Grafana would show of the same data, in plain form. */
/* global uPlot, DRAWING */
const COLORS = { green: '#73bf69', yellow: '#f2cc0c', red: '#f2495c', blue: '#5794f2', purple: '#b877d9', orange: '#ff9830', gray: '#8e8e8e' };
const PALETTE = ['#73bf69', '#5794f2', '#f2cc0c', '#ff9830', '#b877d9', '#8ab8ff', '#f2495c', '#96d98d', '#ffb357'];
const CELL = 30;
const GAP = 8;
const WIDTH = 1400;

/** A value with its unit, as Grafana's formats of the same names. */
function text(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const short = (v, units, base) => {
    let step = 0;
    while (Math.abs(v) >= base && step < units.length - 1) {
      v /= base;
      step += 1;
    }
    const digits = Math.abs(v) >= 100 || v === 0 || (step === 0 && Number.isInteger(v)) ? 0 : Math.abs(v) >= 10 ? 1 : 2;
    if (step === 0 && v !== 0 && Math.abs(v) < 1) return `${Number(v.toPrecision(2))}${units[0]}`;
    return `${v.toFixed(digits)}${units[step]}`;
  };
  const plain = ['', ' k', ' M', ' G', ' T'];
  if (unit === 'Hs') return short(value, [' H/s', ' kH/s', ' MH/s', ' GH/s', ' TH/s', ' PH/s'], 1000);
  if (unit === 'percentunit') return `${(value * 100).toFixed(Math.abs(value) < 0.1 && value !== 0 ? 2 : 1)} %`;
  if (unit === 's') {
    if (value !== 0 && Math.abs(value) < 1) return short(value * 1e6, [' µs', ' ms'], 1000);
    return value < 120 ? `${value.toFixed(value < 10 && !Number.isInteger(value) ? 1 : 0)} s` : value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
  }
  if (unit === 'bytes' || unit === 'Bps') return short(value, [' B', ' KiB', ' MiB', ' GiB', ' TiB'], 1024) + (unit === 'Bps' ? '/s' : '');
  if (unit === 'cps') return `${short(value, plain, 1000)}/s`;
  return short(value, plain, 1000) + (unit.startsWith('suffix:') ? unit.slice('suffix:'.length) : '');
}

function element(tag, className, content) {
  const made = document.createElement(tag);
  made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

const property = (series, id) => series.properties.find((entry) => entry.id === id)?.value;
const translucent = (color, alpha) => color + Math.round(alpha * 255).toString(16).padStart(2, '0');
const stepColor = (steps, value) => COLORS[steps.filter((step) => step.value === null || value >= step.value).at(-1)?.color] ?? COLORS.green;
const last = (values) => values.findLast((value) => value !== null) ?? null;

function colorOf(series, index) {
  const fixed = property(series, 'color')?.fixedColor;
  return COLORS[fixed] ?? PALETTE[index % PALETTE.length];
}

function legend(panel, shown) {
  const box = element('div', 'legend');
  for (const { series, color } of shown) {
    const item = element('span', 'item');
    const mark = element('i', property(series, 'custom.lineStyle') ? 'mark dash' : 'mark');
    mark.style.setProperty('--color', color);
    item.append(mark, series.name === '' ? '(nobody)' : series.name);
    box.append(item);
  }
  return box;
}

/** Stacked series are drawn as running sums, each filled down to the one below. */
function summed(series) {
  const sums = [];
  const anything = DRAWING.times.map((_, at) => series.some(({ values }) => values[at] !== null));
  series.forEach(({ values }, index) => sums.push(values.map((value, at) => (anything[at] ? (value ?? 0) + (index === 0 ? 0 : sums[index - 1][at]) : null))));
  return sums;
}

function plot(panel, body, width, height) {
  const visible = panel.series.map((series, index) => ({ series, color: colorOf(series, index) }));
  const shown = visible.filter(({ series }) => property(series, 'custom.hideFrom')?.legend !== true);
  const key = legend(panel, shown);
  body.append(key);
  const rows = Math.ceil(key.scrollHeight / 18);
  const data = [DRAWING.times, ...(panel.stacked ? summed(panel.series) : panel.series.map(({ values }) => values))];
  const bands = [];
  panel.series.forEach((series, index) => {
    if (panel.stacked && index > 0) bands.push({ series: [index + 1, index], fill: translucent(visible[index].color, 0.45) });
    const below = property(series, 'custom.fillBelowTo');
    const edge = panel.series.findIndex(({ name }) => name === below);
    if (edge >= 0) bands.push({ series: [index + 1, edge + 1], fill: translucent(visible[index].color, 0.22) });
  });
  const axis = { stroke: '#9fa3ad', grid: { stroke: '#2a2d34', width: 1 }, ticks: { show: false }, font: '11px Inter, sans-serif' };
  const chart = new uPlot(
    {
      width,
      height: height - rows * 18 - 6,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 8, 0, 0],
      bands,
      scales: {
        x: { time: true },
        y: { range: (_, low, high) => [panel.min ?? Math.min(low, 0), panel.max ?? (high > (panel.min ?? 0) ? high * 1.08 : (panel.min ?? 0) + 1)] },
      },
      axes: [
        { ...axis, space: 70, size: 24, values: (_, splits) => splits.map((at) => new Date(at * 1000).toISOString().slice(11, 16)) },
        { ...axis, size: (_, labels) => 14 + 6.6 * Math.max(4, ...(labels ?? []).map(({ length }) => length)), space: 34, values: (_, splits) => splits.map((value) => text(value, panel.unit)) },
      ],
      series: [
        {},
        ...visible.map(({ series, color }, index) => ({
          stroke: color,
          width: property(series, 'custom.lineWidth') === 0 ? 0 : panel.stacked ? 1 : 1.8,
          dash: property(series, 'custom.lineStyle') ? [8, 5] : undefined,
          fill: panel.stacked && index === 0 ? translucent(color, 0.45) : undefined,
          points: { show: false },
          spanGaps: false,
        })),
      ],
      hooks: { draw: [(u) => panel.dashedSteps && steps(u, panel)] },
    },
    data,
    body,
  );
  chart.root.style.order = '-1';
}

function steps(u, panel) {
  for (const { value, color } of panel.steps) {
    if (value === null || value > u.scales.y.max) continue;
    const y = Math.round(u.valToPos(value, 'y', true));
    u.ctx.save();
    u.ctx.strokeStyle = COLORS[color];
    u.ctx.setLineDash([4, 4]);
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  }
}

function figures(panel, body) {
  const box = element('div', 'figures');
  for (const series of panel.series) {
    const value = last(series.values);
    const figure = element('div', 'figure');
    if (panel.series.length > 1) figure.append(element('div', 'of', series.name));
    const number = element('div', 'number', text(value, panel.unit));
    number.style.color = stepColor(panel.steps, value ?? 0);
    figure.append(number);
    box.append(figure);
  }
  body.append(box);
}

function table(panel, body) {
  const made = element('table', '');
  const head = element('tr', '');
  for (const { name } of panel.columns) head.append(element('th', '', name));
  made.append(head);
  const stateColors = { ok: 'green', over: 'blue', curtailed: 'purple', unmeasured: 'gray', low: 'orange', dark: 'red' };
  for (const row of panel.rows) {
    const line = element('tr', '');
    row.forEach((cell, index) => {
      const { name, unit } = panel.columns[index];
      const made = element('td', typeof cell === 'number' ? 'value' : '', typeof cell === 'number' ? text(cell, unit) : cell);
      if (name === 'state') made.style.color = COLORS[stateColors[cell]];
      line.append(made);
    });
    made.append(line);
  }
  body.append(made);
}

function states(panel, body) {
  const box = element('div', 'states');
  for (const { name, values } of panel.series) {
    const line = element('div', 'state');
    line.append(element('div', 'of', name));
    const bar = element('div', 'bar');
    let from = 0;
    for (let at = 1; at <= values.length; at += 1) {
      if (at < values.length && values[at] === values[from]) continue;
      const { text: word, color } = panel.states[values[from]] ?? { text: '', color: '' };
      const stretch = element('div', 'stretch', word);
      stretch.style.flexGrow = String(at - from);
      stretch.style.background = color === '' ? 'transparent' : translucent(COLORS[color], 0.75);
      bar.append(stretch);
      from = at;
    }
    line.append(bar);
    box.append(line);
  }
  body.append(box);
}

const KINDS = { timeseries: plot, stat: figures, table, 'state-timeline': states };

function place(panel) {
  const unit = (WIDTH - GAP) / 24;
  const box = element('section', panel.type);
  const width = panel.w * unit - GAP;
  const height = panel.h * (CELL + GAP) - GAP;
  Object.assign(box.style, { left: `${GAP + panel.x * unit}px`, top: `${panel.y * (CELL + GAP)}px`, width: `${width}px`, height: `${height}px` });
  box.append(element('h2', '', panel.title));
  if (panel.type !== 'row') {
    const body = element('div', 'body');
    box.append(body);
    document.querySelector('main').append(box);
    if (panel.series.length === 0 && panel.rows.length === 0) body.append(element('p', 'empty', 'No data'));
    else KINDS[panel.type](panel, body, width - 18, height - 36);
  } else document.querySelector('main').append(box);
}

document.querySelector('h1').textContent = DRAWING.title;
for (const [name, value] of DRAWING.variables) {
  const chip = element('span', 'chip');
  chip.append(element('b', '', name), value);
  document.querySelector('header').append(chip);
}
DRAWING.panels.forEach(place);
document.querySelector('main').style.height = `${Math.max(...DRAWING.panels.map(({ y, h }) => (y + h) * (CELL + GAP)))}px`;
