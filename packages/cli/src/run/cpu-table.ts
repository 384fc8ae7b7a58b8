import type { CauseGroup, RunReport } from 'epckit';
import { formatRatio } from './number-format.js';
import { textTable } from './text-table.js';

const titles: Readonly<Record<CauseGroup, string>> = {
  compute: 'programs',
  fault: 'fault',
  leaf: 'leaves',
  transition: 'in and out',
  software: 'driver',
  lock: 'locks',
  lockWait: 'spinning',
  ipi: 'IPIs',
  exit: 'VM exits',
  switching: 'switching',
  waiting: 'waiting',
};

/** Shows how each CPU has spent its time, a line per CPU; groups that no CPU spent time on are left out. */
export function cpuTable({ cpus, daemons, cgroups }: RunReport): string {
  const kernelThreads = [...daemons, ...(cgroups?.workers.threads ?? [])];
  const groups = (Object.keys(titles) as CauseGroup[]).filter((group) =>
    cpus.some(({ cyclesByGroup }) => (cyclesByGroup[group] ?? 0) > 0),
  );
  const rows = cpus.map(({ cpu, node, idleCycles, cyclesByGroup }) => {
    const all = idleCycles + Object.values(cyclesByGroup).reduce((sum, cycles) => sum + cycles, 0);
    const names = kernelThreads.filter((thread) => thread.cpu === cpu).map(({ name }) => ` (${name})`);
    const percent = (cycles: number) => (cycles === 0 ? '' : formatRatio(cycles * 100, all, 1));
    return [
      `${cpu}${names.join('')}`,
      String(node),
      ...groups.map((group) => percent(cyclesByGroup[group] ?? 0)),
      percent(idleCycles),
    ];
  });
  return textTable(['CPU', 'node', ...groups.map((group) => titles[group]), 'idle'], rows, 1);
}
