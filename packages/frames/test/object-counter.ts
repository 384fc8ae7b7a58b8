import type { AccessMonitor, ObjectRegistry } from '@epckit/interface';

/** Object numbers for tests without a machine. */
export function createObjectCounter(): ObjectRegistry {
  const names: { readonly kind: string; readonly first: number; readonly count: number }[] = [];
  let next = 1;
  return {
    range(kind, count) {
      const first = next;
      names.push({ kind, first, count });
      next += count;
      return first;
    },
    nameOf(object) {
      const range = names.find(({ first, count }) => object >= first && object < first + count);
      if (range === undefined) return `object ${object}`;
      return range.count === 1 ? range.kind : `${range.kind}[${object - range.first}]`;
    },
  };
}

/** Writes down every access in words. */
export function createAccessLog(objects: ObjectRegistry): { monitor: AccessMonitor; take(): string[] } {
  let log: string[] = [];
  return {
    monitor: {
      read: (object) => void log.push(`read ${objects.nameOf(object)}`),
      write: (object) => void log.push(`write ${objects.nameOf(object)}`),
      atomic: (object, mode) => void log.push(`atomic ${mode} ${objects.nameOf(object)}`),
    },
    take() {
      const taken = log;
      log = [];
      return taken;
    },
  };
}
