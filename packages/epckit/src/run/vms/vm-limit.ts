import type { MiscGroup } from '@epckit/cgroup';
import { EpcRefusal, Resource } from '@epckit/cgroup';
import type { GroupId, Thread } from '@epckit/interface';
import { NONE, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { Cgroups } from '../../cgroups/cgroups.js';

/** A limit of a cgroup that a virtual machine is in. */
export interface VmLimit {
  /** Directory of the group, such as `/tenants/a`. */
  readonly group: string;
  /** What all in it may have. Units: pages. */
  readonly pages: number;
}

/** The limit that has refused the last charge of one of the threads; null: none has. */
export function refusingLimit(cgroups: Cgroups | null, threads: readonly Thread[]): VmLimit | null {
  for (const thread of threads) {
    const refusal = cgroups?.engine.charge.lastRefusal(thread);
    if (cgroups !== null && refusal?.reason === EpcRefusal.LIMIT) return limitOf(cgroups, refusal.group);
  }
  return null;
}

/** The lowest limit of a group and of those above it. @returns null: no limit is below the EPC of the machine */
export function lowestLimit(cgroups: Cgroups | null, path: string | null): VmLimit | null {
  if (cgroups === null || path === null) return null;
  let lowest: VmLimit | null = null;
  const { controller } = cgroups;
  let at: MiscGroup | null = controller.group(cgroups.group(path)) ?? null;
  for (; at !== null; at = at.parent) {
    const limit = limitOf(cgroups, at.id);
    if (limit !== null && (lowest === null || limit.pages < lowest.pages)) lowest = limit;
  }
  return lowest;
}

function limitOf({ controller }: Cgroups, id: GroupId): VmLimit | null {
  if (id === NONE) return null;
  const group = controller.group(id) as MiscGroup;
  const bytes = group.counters(Resource.SGX_EPC).max.exact;
  if (bytes >= controller.capacity(Resource.SGX_EPC).value) return null;
  return { group: group.name, pages: Number(bytes) / PAGE_SIZE_BYTES };
}

/** The limit in words. */
export function limitWords({ group, pages }: VmLimit): string {
  return `cgroup '${group}' may have ${pages} page${pages === 1 ? '' : 's'}`;
}
