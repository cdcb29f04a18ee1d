/** Logging: pino, JSON lines on standard output; with `pretty` a formatter in a thread of its own. Passwords never pass. */
import { pino, type Logger } from 'pino';

export type { Logger } from 'pino';

/** How the processes of one instance log; the supervisor's choice reaches its children by this variable. */
export const LOG_FORMAT_VARIABLE = 'WEIGHBRIDGE_LOG';

const REDACTED = ['password', '*.password', '*.*.password', '*.*.*.password'];

/**
 * A logger for the process named `name`. JSON goes out synchronously, so that nothing is lost at an exit;
 * `pretty` is for people at a terminal and uses a thread.
 */
export function createLogger(name: string, pretty: boolean): Logger {
  const options = {
    base: { process: name },
    redact: { paths: REDACTED, censor: '[hidden]' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  if (!pretty) return pino(options, pino.destination({ fd: 1, sync: true }));
  return pino(options, pino.transport({ target: new URL('./log-pretty.js', import.meta.url).href }));
}

/** The logger of a child process, in the format its supervisor was asked for. */
export function createChildLogger(name: string): Logger {
  return createLogger(name, process.env[LOG_FORMAT_VARIABLE] === 'pretty');
}
