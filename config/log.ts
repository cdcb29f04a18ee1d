/** Logging: pino, JSON lines on standard output; with `pretty` a formatter in a thread of its own. Passwords never pass. */
import { pino, type DestinationStream, type Logger } from 'pino';
import { LOG_EVENTS, type LogEvent } from './log-events.ts';

export type { Logger } from 'pino';

/** Where and how the processes of one instance log: JSON lines or lines for people on standard output, or JSON to a file. */
export type LogTarget = { readonly kind: 'json' } | { readonly kind: 'pretty' } | { readonly kind: 'file'; readonly path: string };

/** The supervisor's choice reaches its children by this variable. */
const TARGET_VARIABLE = 'WEIGHBRIDGE_LOG';

/** What a log that cannot be written may keep in memory. */
const UNWRITTEN_BYTES_MAX = 1024 * 1024;

const REDACTED = ['password', '*.password', '*.*.password', '*.*.*.password'];

/**
 * A logger for the process named `name`. JSON goes out synchronously, so that nothing is lost at an exit; `pretty` is
 * for people at a terminal and uses a thread. A file is appended to; several processes may share it.
 */
export function createLogger(name: string, target: LogTarget): Logger {
  const options = {
    base: { process: name },
    redact: { paths: REDACTED, censor: '[hidden]' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  switch (target.kind) {
    case 'json':
      return pino(options, patient({ fd: 1 }));
    case 'file':
      return pino(options, patient({ dest: target.path }));
    case 'pretty':
      return pino(options, pino.transport({ target: new URL('./log-pretty.js', import.meta.url).href }));
  }
}

/**
 * A destination that cannot be written (a full disk, a pipe whose reader is gone) must not end the process that wants to say
 * so: lines wait until it can be written again, up to a limit, and are dropped beyond.
 */
function patient(target: { readonly fd: number } | { readonly dest: string }): DestinationStream {
  const destination = pino.destination({ ...target, sync: true, append: true, mkdir: true, maxLength: UNWRITTEN_BYTES_MAX });
  destination.on('error', () => undefined);
  return destination;
}

/** Writes one event, at its level; `sentence` where there is more to say than its name. */
export function logEvent(log: Logger, event: LogEvent, fields: Readonly<Record<string, unknown>> = {}, sentence?: string): void {
  log[LOG_EVENTS[event][0]]({ event, ...fields }, sentence);
}

/** What a supervisor adds to its children's environment so that they log as it does. */
export function childLogEnvironment(target: LogTarget): Record<string, string> {
  return { [TARGET_VARIABLE]: JSON.stringify(target) };
}

/** The logger of a child process, as its supervisor was asked for. */
export function createChildLogger(name: string): Logger {
  const chosen = process.env[TARGET_VARIABLE];
  return createLogger(name, chosen === undefined ? { kind: 'json' } : (JSON.parse(chosen) as LogTarget));
}
