import type { LeafResult, SgxHardware } from '@epckit/interface';
import { Leaf, Mode, op } from '@epckit/interface';

type Scripted = Pick<SgxHardware, 'leafAt' | 'ewb' | 'eldu' | 'etrack'>;

/** Hardware whose leaves return what a queue says and write themselves into `log`. */
export function scriptedHardware(results: LeafResult[], log: string[]): Scripted {
  const answer = (leaf: string): LeafResult => {
    const result = results.shift();
    if (result === undefined) throw new Error(`The script has no result for ${leaf}.`);
    log.push(`${leaf} ${result}`);
    return result;
  };
  return {
    leafAt: (page) => op(1000 + page, Mode.LEAF),
    etrack: (_cpu, secs) => answer(`ETRACK(${secs})`),
    ewb: (_cpu, page, vaPage, slot, blob) => {
      const result = answer(`EWB(${page}, ${vaPage}:${slot})`);
      if (result === 0) Object.assign(blob, { contents: 500 + page, secinfo: Leaf.EWB, macLow: 9 });
      return result;
    },
    eldu: (_cpu, target, secs, vaPage, slot, blob) =>
      answer(`ELDU(${target}, ${secs}, ${vaPage}:${slot}, ${blob.contents})`),
  };
}
