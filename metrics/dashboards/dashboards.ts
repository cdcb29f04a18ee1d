/** Every dashboard as the file that Grafana is provisioned with. */
import type { Dashboard, DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { fleet } from './fleet.ts';
import { leases } from './leases.ts';
import { machineRoom } from './machine-room.ts';

/** Where they are committed. */
export const DASHBOARDS_FOLDER = 'docker/grafana/dashboards';

/** File name → text. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  const all: readonly (readonly [string, DashboardBuilder])[] = [
    ['fleet.json', fleet()],
    ['leases.json', leases()],
    ['machine-room.json', machineRoom()],
  ];
  return new Map(all.map(([name, builder]) => [name, `${JSON.stringify(numbered(builder.build()), null, 2)}\n`]));
}

/** Panels need numbers that stay: links to a single panel are made of them. */
function numbered(dashboard: Dashboard): Dashboard {
  dashboard.panels?.forEach((panel, index) => {
    panel.id = index + 1;
  });
  return dashboard;
}
