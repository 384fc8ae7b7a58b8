import { presetCgroups, type ScenarioCgroups, type ScenarioGroup } from 'epckit';
import type { GroupFile } from './cgroup-schema.js';
import { durationToCycles } from './duration.js';
import { type GroupLimit, limitBytes } from './group-limit.js';
import { formatPath, type KeyPath } from './key-path.js';
import { sectionsOf } from './placement.js';
import type { Problem } from './problem.js';
import type { ScenarioFile } from './schema.js';

/** A group of the file, its directory, and where it stands. */
interface PlacedGroup {
  readonly group: GroupFile;
  readonly path: string;
  readonly at: KeyPath;
}

/** All groups of a scenario, those above before those below. */
function placeGroups(groups: ScenarioFile['cgroups'], path = '', at: KeyPath = ['cgroups']): PlacedGroup[] {
  return Object.entries(groups ?? {}).flatMap(([name, group]): PlacedGroup[] => {
    const own = { group, path: `${path}/${name}`, at: [...at, name] };
    return [own, ...placeGroups(group.groups, own.path, [...own.at, 'groups'])];
  });
}

/** The keys that say a limit. */
const limitKeys = ['max', 'epc', 'unified'] as const;

function limitOf(group: GroupFile): GroupLimit {
  return group.max ?? group.epc ?? group.unified ?? { kind: 'none' };
}

/** Finds groups that contradict themselves, enclaves in groups that do not exist, and presets without a controller. */
export function checkCgroups(file: ScenarioFile): Problem[] {
  const placed = placeGroups(file.cgroups);
  const problems = placed.flatMap((one) => [...checkLimits(one), ...checkChanges(one, file.costs.clockGhz)]);
  problems.push(...checkEnclaves(file, placed));
  if (file.cgroups === undefined) return [...problems, ...checkController(file)];
  if (presetCgroups(file.preset) === null) {
    const message = `preset is ${file.preset}, which has no EPC controller, but the scenario has cgroups.`;
    const hint = 'Presets with a controller: epckit, cgroup-2020, cgroup-v5, cgroup-v17.';
    problems.push({ path: ['preset'], at: 'value', message, hint });
  }
  if (file.reclaim.daemonNodes === 'perNode') {
    const message =
      'reclaim.daemonNodes is perNode, but with cgroups there is one list per group and none per node.';
    problems.push({ path: ['reclaim', 'daemonNodes'], at: 'value', message, hint: 'Give all.' });
  }
  return problems;
}

function checkLimits({ group, at }: PlacedGroup): Problem[] {
  const [first, second] = limitKeys.filter((key) => group[key] !== undefined);
  if (second === undefined) return [];
  const name = formatPath(at);
  const message = `${name}.${second} and ${name}.${first} exclude each other.`;
  return [{ path: [...at, second], at: 'key', message, hint: 'A group has one limit: keep one of them.' }];
}

/** Later limits come in order of time. */
function checkChanges({ group, at }: PlacedGroup, clockGhz: number): Problem[] {
  const times = group.limits.map((change) => durationToCycles(change.at, clockGhz));
  const late = times.findIndex((time, index) => index > 0 && time <= (times[index - 1] as number));
  if (late < 0) return [];
  const path = [...at, 'limits', late, 'at'];
  const message = `${formatPath(path)} is not after the limit before it.`;
  return [{ path, at: 'value', message, hint: 'Give later limits in order of time.' }];
}

function checkEnclaves(file: ScenarioFile, placed: readonly PlacedGroup[]): Problem[] {
  return [...checkMembers(file, 'enclaves', placed), ...checkMembers(file, 'vms', placed)];
}

function checkMembers(
  file: ScenarioFile,
  key: 'enclaves' | 'vms',
  placed: readonly PlacedGroup[],
): Problem[] {
  const members: readonly { readonly cgroup?: string | undefined }[] = file[key];
  return members.flatMap(({ cgroup }, index): Problem[] => {
    if (cgroup === undefined || placed.some(({ path }) => path === cgroup)) return [];
    const message = `${key}[${index}].cgroup is ${cgroup}, but there is no such group.`;
    const known = placed.map(({ path }) => path).join(', ');
    const hint = known === '' ? 'Add cgroups with this group.' : `Groups: ${known}.`;
    return [{ path: [key, index, 'cgroup'], at: 'value', message, hint }];
  });
}

/** Without groups there is nothing for a controller to do. */
function checkController({ controller }: ScenarioFile): Problem[] {
  const key = (['kill', 'victim'] as const).find((name) => controller[name] !== undefined);
  if (key === undefined) return [];
  const message = `controller.${key} is given, but the scenario has no cgroups.`;
  return [{ path: ['controller', key], at: 'key', message, hint: 'Add cgroups, or leave controller out.' }];
}

/** Spells out every default of the cgroups; null: there are none. */
export function resolveCgroups({
  cgroups,
  controller,
  machine,
  costs,
}: ScenarioFile): ScenarioCgroups | null {
  if (cgroups === undefined) return null;
  const epcPages = sectionsOf(machine).reduce((sum, { pageCount }) => sum + pageCount, 0);
  const { kill = null, victim = null, workers } = controller;
  const groups = placeGroups(cgroups).map(
    ({ group, path }): ScenarioGroup => ({
      path,
      maxBytes: limitBytes(limitOf(group), epcPages),
      limits: group.limits.map(({ at, max }) => ({
        atCycles: durationToCycles(at, costs.clockGhz),
        maxBytes: limitBytes(max, epcPages),
      })),
    }),
  );
  return { groups, kill, victim, workers };
}
