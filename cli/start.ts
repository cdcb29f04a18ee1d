/** `start`: runs an instance in the foreground until it is told to stop. */
import type { Loaded } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { createLogger, logEvent, type Logger, type LogTarget } from '../config/log.ts';
import { startSupervisor, StoppedWhileStarting, type Supervisor } from '../proxy/net/supervisor.ts';
import { loadForInstance, readConfig } from './instance.ts';
import { EXIT, type ExitCode, type Io, usageError } from './io.ts';
import type { ParsedOptions } from './options.ts';
import { reloadText } from './reload.ts';

export async function start({ text, flags }: ParsedOptions, io: Io): Promise<ExitCode> {
  const file = text['config'];
  if (file === undefined) throw usageError('Say which configuration: --config FILE; without one, `weighbridge demo` needs nothing.');
  const reread = (inForce?: Config): Loaded => loadForInstance(file, io.world.wallMs(), inForce);
  const config = readConfig(file, reread);
  const target: LogTarget = { kind: flags.has('pretty') ? 'pretty' : 'json' };
  const log = createLogger('supervisor', target);
  const interrupted = new AbortController();
  let supervisor: Supervisor | undefined;
  io.onSignal(() => {
    if (interrupted.signal.aborted) {
      supervisor?.kill();
      return;
    }
    logEvent(log, 'stopping');
    interrupted.abort();
    void supervisor?.stop();
  });
  let hungUp = false;
  io.onHangup(() => {
    hungUp = true;
    if (supervisor !== undefined) followConfiguration(supervisor, log);
  });
  try {
    supervisor = await startSupervisor({ config, world: io.world, log, childLog: target, reread, signal: interrupted.signal });
  } catch (error) {
    if (!(error instanceof StoppedWhileStarting)) throw error;
    logEvent(log, 'stopped', {}, 'Stopped before machines could connect.');
    return EXIT.ok;
  }
  for (const { site, address } of supervisor.listening) logEvent(log, 'listening', { site, address }, `Machines of ${site} connect to ${address}.`);
  for (const [pool, { url }] of Object.entries(config.pools)) logEvent(log, 'pool', { pool, url });
  logEvent(log, 'serving', { http: supervisor.http, data: config.data }, `Metrics are at http://${supervisor.http}/metrics, journals and ledger in ${config.data}.`);
  // While it was starting: the file may have changed since it was read.
  if (hungUp) followConfiguration(supervisor, log);
  await supervisor.stopped;
  logEvent(log, 'stopped');
  return EXIT.ok;
}

/** What SIGHUP does; its outcome goes to the log. */
function followConfiguration(supervisor: Supervisor, log: Logger): void {
  supervisor.reload().then(
    (reloaded) => logEvent(log, 'configuration changed', {}, reloadText(reloaded)),
    (error: unknown) => logEvent(log, 'configuration refused', {}, error instanceof Error ? error.message : String(error)),
  );
}
