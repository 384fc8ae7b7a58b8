import type { Probe } from '@epckit/interface';

/** Hears every trace point and says nothing; subclasses override what they are interested in. */
export class SilentProbe implements Probe {
  leaf(..._facts: Parameters<Probe['leaf']>): void {}
  pageAllocated(..._facts: Parameters<Probe['pageAllocated']>): void {}
  pageFreed(..._facts: Parameters<Probe['pageFreed']>): void {}
  reclaimVerdict(..._facts: Parameters<Probe['reclaimVerdict']>): void {}
  batchEnded(..._facts: Parameters<Probe['batchEnded']>): void {}
  daemonWoken(..._facts: Parameters<Probe['daemonWoken']>): void {}
  daemonRuns(..._facts: Parameters<Probe['daemonRuns']>): void {}
  faultHandled(..._facts: Parameters<Probe['faultHandled']>): void {}
  pteZapped(..._facts: Parameters<Probe['pteZapped']>): void {}
  aged(..._facts: Parameters<Probe['aged']>): void {}
  ipiSent(..._facts: Parameters<Probe['ipiSent']>): void {}
  backingDropped(..._facts: Parameters<Probe['backingDropped']>): void {}
  lockContended(..._facts: Parameters<Probe['lockContended']>): void {}
  warned(..._facts: Parameters<Probe['warned']>): void {}
}
