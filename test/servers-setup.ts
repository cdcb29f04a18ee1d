/** Once before all tests: installs the servers they need where they are missing and may be installed, so that no two test files try at the same time. */
import { installAlertmanager } from './rig/alertmanager.ts';
import { installPrometheus } from './rig/prometheus.ts';
import { installServer } from './rig/redis.ts';

export default function setup(): void {
  // Where one cannot be installed, the tests that need it fail and say what to do; the others run.
  installServer();
  installPrometheus();
  installAlertmanager();
}
