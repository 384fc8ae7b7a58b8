import type { Directory } from './directory.js';
import type { MiscGroup } from './group.js';
import { resourceNames } from './resource.js';
import type { CgroupTree } from './tree.js';

/** A contradiction between or within groups, directories and processes. */
export interface CgroupViolation {
  /** Name of the rule. */
  readonly rule: string;
  /** What is wrong. */
  readonly message: string;
}

/** Compares groups, directories and processes at rest: no charge, move or removal is in progress. */
export function checkCgroups(tree: CgroupTree): CgroupViolation[] {
  const groups = tree.controller.groups();
  return [
    ...groups.flatMap((group) => [...checkReferences(group), ...checkUsage(tree, group)]),
    ...[...tree.root.subtree()].flatMap((directory) => checkDirectory(tree, directory)),
  ];
}

function checkReferences(group: MiscGroup): CgroupViolation[] {
  const least = group.children.length + (group.isOnline ? 1 : 0);
  const found: CgroupViolation[] = [];
  if (group.refs.value < least || group.refs.value === 0) {
    found.push({
      rule: 'references',
      message: `${group.name} has ${group.refs.value}, at least ${least} hold it`,
    });
  }
  if (group.isOnline && group.parent?.isOnline === false) {
    found.push({
      rule: 'online',
      message: `${group.name} is online below ${group.parent.name}, which is dying`,
    });
  }
  return found;
}

function checkUsage({ controller }: CgroupTree, group: MiscGroup): CgroupViolation[] {
  return controller.resources.flatMap((resource) => {
    const { usage, watermark, events, eventsLocal } = group.counters(resource);
    const below = group.children.reduce((sum, child) => sum + child.counters(resource).usage.value, 0);
    const what = `${resourceNames[resource]} of ${group.name}`;
    const found: CgroupViolation[] = [];
    if (usage.value < 0) found.push({ rule: 'negative', message: `${what}: usage ${usage.value}` });
    if (usage.value < below) {
      found.push({ rule: 'hierarchy', message: `${what}: usage ${usage.value}, ${below} below it` });
    }
    if (watermark.value < usage.value) {
      found.push({ rule: 'peak', message: `${what}: peak ${watermark.value} below usage ${usage.value}` });
    }
    if (group.parent !== null && events.value < eventsLocal.value) {
      found.push({ rule: 'events', message: `${what}: ${events.value}, of them ${eventsLocal.value} local` });
    }
    return found;
  });
}

function checkDirectory(tree: CgroupTree, directory: Directory): CgroupViolation[] {
  const found: CgroupViolation[] = [];
  const { path, parent, group } = directory;
  if (directory.isRemoved) found.push({ rule: 'removed', message: `${path} is removed and in the tree` });
  if (parent !== null && (group !== null) !== parent.enablesMisc) {
    found.push({ rule: 'subtree_control', message: `${path} has a group: ${group !== null}` });
  }
  if (group !== null && !(group.isOnline && tree.controller.group(group.id) === group)) {
    found.push({ rule: 'group', message: `${path} has a group that is dying or freed` });
  }
  if (parent !== null && directory.enablesMisc && directory.pids.size > 0) {
    found.push({ rule: 'leaf', message: `${path} enables misc and has processes` });
  }
  for (const pid of directory.pids) {
    const process = tree.processes.get(pid);
    if (process?.directory !== directory || process.group.value !== directory.effectiveGroup.id) {
      found.push({ rule: 'process', message: `process ${pid} is not where ${path} says` });
    }
  }
  return found;
}
