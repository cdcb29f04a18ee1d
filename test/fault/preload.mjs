// Loaded into the product's processes before their own code (NODE_OPTIONS), to give them a world that no test machine has
// at hand: clocks that run fast or are set, a disk that forces slowly, a disk that is full for as long as a file exists,
// a process that dies as soon as it starts.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { resolve } from 'node:path';

const { dies, clock, monoSpeed = 1, syncDelayMs = 0, ...files } = JSON.parse(process.env.WEIGHBRIDGE_FAULTS ?? '{}');
const { data = '.' } = JSON.parse(process.env.WEIGHBRIDGE_CONFIG ?? '{}');
// Several instances of one test share the environment: names without a directory lie in the data directory of each.
const [fullWhile, wallStep, diesWhile] = [files.fullWhile, files.wallStep, dies?.while].map((file) => (file === undefined ? undefined : resolve(data, file)));

if (diesWhile !== undefined && JSON.parse(process.env.WEIGHBRIDGE_IDENTITY ?? '{}').process === dies.process && fs.existsSync(diesWhile)) process.exit(7);

if (clock !== undefined) {
  const realNow = Date.now;
  Date.now = () => Math.round(clock.startMs + (realNow() - clock.startMs) * clock.speed);
}

// Timers keep their pace: what is due by the clock is found due at the next look.
if (monoSpeed !== 1) {
  const realMono = performance.now.bind(performance);
  performance.now = () => realMono() * monoSpeed;
}

if (wallStep !== undefined) {
  const rightNow = Date.now;
  let stepMs = 0;
  const look = () => {
    stepMs = fs.existsSync(wallStep) ? Number(fs.readFileSync(wallStep, 'utf8')) : 0;
  };
  look();
  setInterval(look, 20).unref();
  Date.now = () => rightNow() + stepMs;
}

/** No share's record is as short as this. */
const MARKER_BYTES_MAX = 32;
const journals = new Set();
/** Whose writes are on the disk when they return. */
const through = new Set();

function refused() {
  return fullWhile !== undefined && fs.existsSync(fullWhile);
}

function full() {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { errno: -28, code: 'ENOSPC', syscall: 'write' });
}

/** The disk has it only so much later. */
function later(done) {
  return (...results) => setTimeout(() => done(...results), syncDelayMs);
}

const { open, write, writeSync, fdatasync, close } = fs;
fs.open = (path, ...rest) => {
  const done = rest.pop();
  open(path, ...rest, (error, descriptor) => {
    if (error === null && String(path).includes('.wbj')) journals.add(descriptor);
    if (error === null && (rest[0] & fs.constants.O_DSYNC) === fs.constants.O_DSYNC) through.add(descriptor);
    done(error, descriptor);
  });
};
fs.close = (descriptor, done) => {
  journals.delete(descriptor);
  through.delete(descriptor);
  close(descriptor, done);
};
// The last records still fit, and the marker behind them does not: the worst moment for a disk to become full.
let markerRefused = false;
fs.write = (descriptor, bytes, offset, length, ...rest) => {
  const done = rest.pop();
  const fits = !journals.has(descriptor) || !refused() || (!markerRefused && length > MARKER_BYTES_MAX);
  if (fits) return write(descriptor, bytes, offset, length, ...rest, syncDelayMs > 0 && through.has(descriptor) ? later(done) : done);
  markerRefused = true;
  return setImmediate(() => done(full(), 0));
};
// The log and the accountant's seals lie on the same disk. What overwrites blocks that a file has needs no free ones.
fs.writeSync = (descriptor, bytes, offset, length, position) => {
  const inPlace = typeof position === 'number' && position + length <= fs.fstatSync(descriptor).size;
  if (refused() && !inPlace) throw full();
  return writeSync(descriptor, bytes, offset, length, position);
};
fs.fdatasync = (descriptor, done) => {
  return fdatasync(descriptor, syncDelayMs > 0 ? later(done) : done);
};
syncBuiltinESMExports();
