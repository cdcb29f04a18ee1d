/** The thread behind `--pretty`: turns pino's JSON lines into lines for people. */
import { Writable } from 'node:stream';
import { pino } from 'pino';

const KNOWN = new Set(['level', 'time', 'process', 'event', 'msg', 'pid', 'hostname']);

/** One log record as `12:34:56 level process message key=value …`; a line that is not a JSON object is passed on as it is. */
export function prettyLine(line: string): string {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof record !== 'object' || record === null) return line;
  const fields = new Map<string, unknown>(Object.entries(record));
  const text = (key: string): string => {
    const value = fields.get(key);
    return typeof value === 'string' ? value : '';
  };
  const head = [text('time').slice(11, 19), text('level').padEnd(5), text('process').padEnd(10), text('event'), text('msg')].filter((part) => part !== '');
  for (const [key, value] of fields) {
    if (!KNOWN.has(key)) head.push(`${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  }
  return head.join(' ').trimEnd();
}

/**
 * Entry point that pino's thread calls: a stream that takes JSON lines and writes to the descriptor itself. A thread's own
 * `process.stdout` goes through the main thread, which at an exit waits for this one.
 */
export default function prettyStream(): Writable {
  const output = pino.destination({ fd: 1, sync: true });
  let partial = '';
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const lines = (partial + chunk.toString()).split('\n');
      partial = lines.pop() ?? '';
      if (lines.length > 0) output.write(`${lines.map(prettyLine).join('\n')}\n`);
      done();
    },
  });
}
