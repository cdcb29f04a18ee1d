/** Once before all tests: installs redis-server where it is missing and may be installed, so that no two test files try at the same time. */
import { installServer } from './rig/redis.ts';

export default function setup(): void {
  // Where it cannot be installed, the tests that need it fail and say what to do; the others run.
  installServer();
}
