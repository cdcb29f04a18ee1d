/** A fleet in a process of its own, so that its grinding costs the proxy's cores nothing they would not lose to real machines. */
import { realWorld } from '../../config/world.ts';
import { Fleet, type FleetOptions, type MachineRecord, type MachineSummary } from './fleet.ts';

export type ToFleet = { readonly type: 'start'; readonly options: FleetOptions } | { readonly type: 'summaries' | 'records' | 'rest' | 'stop' };

export type FromFleet =
  | { readonly type: 'ready' }
  | { readonly type: 'summaries'; readonly machines: readonly MachineSummary[]; readonly cpuMs: number }
  | { readonly type: 'records'; readonly machines: readonly MachineRecord[] };

let fleet: Fleet | undefined;

function send(message: FromFleet): void {
  process.send?.(message);
}

process.on('message', (message: ToFleet) => {
  switch (message.type) {
    case 'start':
      fleet = new Fleet(realWorld, message.options);
      return fleet.start();
    case 'summaries': {
      const { user, system } = process.cpuUsage();
      return send({ type: 'summaries', machines: fleet?.summaries() ?? [], cpuMs: (user + system) / 1000 });
    }
    case 'records':
      return send({ type: 'records', machines: fleet?.records() ?? [] });
    case 'rest':
      return fleet?.rest();
    case 'stop':
      return process.exit(0);
    default:
      return message satisfies never;
  }
});
// An interrupt from the terminal reaches every process of the group; the parent decides when the fleet ends.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
send({ type: 'ready' });
