/** `npm run dashboards`: writes every dashboard to where Grafana is provisioned from. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS_FOLDER, dashboardFiles } from './dashboards.ts';

for (const [name, text] of dashboardFiles()) writeFileSync(join(DASHBOARDS_FOLDER, name), text);
