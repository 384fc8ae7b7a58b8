import type { StepObject } from '../step.js';
import { flag } from '../step.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';

/** Boot and the daemon. */
export const bootFamily: Family = {
  boot: { keys: ['run_ksgxd'], play: boot },
  ksgxd: { keys: ['force'], play: ksgxd },
};

function boot(context: PlayContext, step: StepObject): Played {
  const { epc } = context;
  const { frames } = epc;
  const total = epc.pools.nodes.map((node) => {
    const sections = frames.sections.filter((section) => section.node === node);
    return [node, sections.reduce((sum, section) => sum + section.pageCount, 0)];
  });
  context.isBooted = true;
  epc.boot(flag(step, 'run_ksgxd', true));
  return { r: 0, sections: frames.sections.length, total };
}

function ksgxd({ epc }: PlayContext, step: StepObject): Played {
  const { ksgxd, machine, reclaimer } = epc;
  if (flag(step, 'force') && !ksgxd.isEnabled) reclaimer.wakeUp(ksgxd, false);
  if (!ksgxd.isEnabled) return { r: 'ASLEEP' };
  machine.runKernelThreads();
  return { r: 'RAN' };
}
