/** The files of docker/ agree with the product and with one another; that the image can be built and run is `npm run test:image`. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { COMMANDS } from '../../cli/commands.ts';
import { parseConfig } from '../../config/load.ts';

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly read_only?: boolean;
  readonly ports?: readonly string[];
  readonly volumes?: readonly (string | { readonly source: string; readonly target: string; readonly read_only?: boolean })[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly selector?: unknown;
    readonly ports?: readonly { readonly name: string; readonly targetPort: string }[];
    readonly endpoints?: readonly { readonly port: string }[];
    readonly serviceName?: string;
    readonly template?: {
      readonly metadata: { readonly labels: object };
      readonly spec: { readonly containers: readonly { readonly image: string; readonly ports: readonly { readonly name: string; readonly containerPort: number }[] }[] };
    };
  };
}

const text = (path: string): string => readFileSync(join('docker', path), 'utf8');
const { services, volumes } = parse(text('compose.yaml')) as { readonly services: Readonly<Record<string, Service>>; readonly volumes: object };
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };

describe('compose.yaml', () => {
  it('has no finding of its linter', () => {
    const { status, stdout, stderr } = spawnSync('node_modules/.bin/dclint', ['--config', 'docker/dclint.yaml', '--max-warnings', '0', 'docker/compose.yaml'], { encoding: 'utf8' });
    expect(`${stdout}${stderr}`.trim()).toBe('');
    expect(status).toBe(0);
  });

  it('names releases of images, keeps every root file system unwritten and publishes only the port of machines to others', () => {
    for (const { image, read_only: readOnly, ports = [] } of Object.values(services)) {
      expect(image).toMatch(/^[\w/-]+:v?\d[\w.-]*$/);
      expect([image, readOnly]).toEqual([image, true]);
      expect(ports.filter((port) => !/^127\.0\.0\.1:|^0\.0\.0\.0:3333:3333$/.test(port))).toEqual([]);
    }
    expect([services['weighbridge']?.image, services['demo']?.image]).toEqual([`weighbridge:${version}`, `weighbridge:${version}`]);
  });

  it('binds files that are here, unwritten, and volumes that it declares', () => {
    const wrong = Object.values(services)
      .flatMap(({ volumes: used = [] }) => used)
      .filter((volume) => (typeof volume === 'string' ? !((volume.split(':')[0] ?? '') in volumes) : volume.read_only !== true || !existsSync(join('docker', volume.source))));
    expect(wrong).toEqual([]);
  });

  it('starts the demo with options that the command has', () => {
    const [name = '', ...args] = services['demo']?.command ?? [];
    const options = Object.keys(COMMANDS.find((command) => command.name === name)?.options ?? {});
    expect(args.filter((arg) => arg.startsWith('--')).map((arg) => arg.slice(2)).filter((option) => !options.includes(option))).toEqual([]);
  });
});

describe('the configurations beside it', () => {
  it('weighbridge.yaml is without a problem and reaches what the stack has', () => {
    const { config, problems } = parseConfig(text('weighbridge.yaml'), '/etc/weighbridge/weighbridge.yaml', {});
    expect(problems).toBeUndefined();
    expect(config).toMatchObject({ data: '/data', http: { host: '0.0.0.0', port: 9280 } });
    expect(Object.keys(services)).toContain(/redis:\/\/(\w+):/.exec(text('weighbridge.yaml'))?.[1]);
  });

  it('Prometheus asks services that exist, Grafana reads Prometheus and finds the dashboards where they are bound', () => {
    const names = [...text('prometheus/prometheus.yml').matchAll(/names: \[([^\]]+)\]/g)].flatMap(([, list = '']) => list.split(', '));
    expect(names.filter((name) => !(name in services))).toEqual([]);
    const { datasources } = parse(text('grafana/provisioning/datasources/prometheus.yaml')) as { readonly datasources: readonly { readonly url: string }[] };
    expect(datasources.map(({ url }) => new URL(url).hostname in services)).toEqual([true]);
    const { providers } = parse(text('grafana/provisioning/dashboards/weighbridge.yaml')) as { readonly providers: readonly { readonly options: { readonly path: string } }[] };
    const bound = (services['grafana']?.volumes ?? []).map((volume) => (typeof volume === 'string' ? '' : volume.target));
    expect(bound).toContain(providers[0]?.options.path);
  });

  it('the unit of systemd runs commands that exist', () => {
    const commands = [...text('systemd/weighbridge.service').matchAll(/^Exec\w+=\S+ (\w+)/gm)].map(([, name]) => name);
    expect(commands).toEqual(['check', 'start']);
    expect(commands.every((name) => COMMANDS.some((command) => command.name === name))).toBe(true);
  });
});

describe('the example for Kubernetes', () => {
  const manifests = parseAllDocuments(text('kubernetes/weighbridge.yaml')).map((document) => document.toJS() as Manifest);
  const kind = (wanted: string): Manifest[] => manifests.filter((manifest) => manifest.kind === wanted);
  const [set] = kind('StatefulSet');
  const template = set?.spec?.template;
  const container = template?.spec.containers[0];

  it('has a configuration without a problem, whose passwords its secret holds', () => {
    const { problems } = parseConfig(kind('ConfigMap')[0]?.data?.['weighbridge.yaml'] ?? '', '/etc/weighbridge/weighbridge.yaml', kind('Secret')[0]?.stringData ?? {});
    expect(problems).toBeUndefined();
    expect(container?.image).toBe(`weighbridge:${version}`);
  });

  it('selects its own pods and ports everywhere', () => {
    const selectors = manifests.flatMap(({ kind: of, spec }) => {
      if (spec?.selector === undefined || of === 'ServiceMonitor') return [];
      return [of === 'Service' ? spec.selector : (spec.selector as { readonly matchLabels: object }).matchLabels];
    });
    expect(selectors).toHaveLength(4);
    for (const selector of selectors) expect(template?.metadata.labels).toMatchObject(selector as object);
    const ports = container?.ports.map(({ name }) => name);
    for (const { targetPort } of kind('Service').flatMap(({ spec }) => spec?.ports ?? [])) expect(ports).toContain(targetPort);
    expect(kind('Service').map(({ metadata }) => metadata.name)).toContain(set?.spec?.serviceName);
  });

  it('shows Prometheus one service, that of the metrics', () => {
    const [monitor] = kind('ServiceMonitor');
    const wanted = (monitor?.spec?.selector as { readonly matchLabels?: Readonly<Record<string, string>> } | undefined)?.matchLabels ?? {};
    const found = kind('Service').filter(({ metadata }) => Object.entries(wanted).every(([key, value]) => metadata.labels[key] === value));
    expect(found.map(({ metadata }) => metadata.name)).toEqual(['weighbridge']);
    expect(found[0]?.spec?.ports?.map(({ name }) => name)).toEqual(monitor?.spec?.endpoints?.map(({ port }) => port));
  });
});
