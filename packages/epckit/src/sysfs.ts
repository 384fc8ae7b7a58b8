import { discoverSections } from '@epckit/numa';
import type { MachineDescription } from './options.js';

const PAGE_BYTES = 4096n;

/** What Linux shows of the EPC in sysfs; its files do not change after the boot. */
export interface Sysfs {
  /** Paths of the files that are there, by node. */
  readonly paths: readonly string[];
  /** Content of a file with its newline, or null: there is none of this path (`-ENOENT`). */
  read(path: string): string | null;
}

/**
 * The files that Linux 5.17 and later make for a machine, of a stack `epc.options.machine`:
 * `/sys/devices/system/node/nodeN/x86/sgx_total_bytes`, bytes of the sections of node N that are used, in decimal
 * (`sgx_total_bytes_show`). Poisoned pages count.
 *
 * The file of a node appears with its first section (`arch_update_sysfs_visibility`); a node without EPC has none, and
 * a machine without SGX has no file at all (B-49: kernels of the 5.17-rc cycle showed it there and crashed when it was
 * read). Not modelled: a node that comes online after the boot has the file in Linux, with whatever its record holds
 * (L-09).
 *
 * @param machine `null`: the processor has no SGX
 */
export function createSysfs(machine: Pick<MachineDescription, 'sections'> | null): Sysfs {
  const { nodes } = discoverSections(machine?.sections ?? []);
  const files = new Map(
    nodes.map(({ node, pageCount }) => {
      return [totalBytesPath(node), `${BigInt(pageCount) * PAGE_BYTES}\n`];
    }),
  );
  return {
    paths: [...files.keys()],
    read: (path) => files.get(path) ?? null,
  };
}

function totalBytesPath(node: number): string {
  return `/sys/devices/system/node/node${node}/x86/sgx_total_bytes`;
}
