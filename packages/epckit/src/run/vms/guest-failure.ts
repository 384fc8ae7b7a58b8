import type { Enclave } from '@epckit/enclave';
import type { GuestAccessId } from '@epckit/guest';
import { GuestAccess } from '@epckit/guest';
import type { Epc } from '../../create-epc.js';
import { RunFailure } from '../run-failure.js';
import type { ScenarioVm } from './scenario-vms.js';
import { limitWords, lowestLimit, refusingLimit } from './vm-limit.js';

/**
 * What is wrong when a program of a guest cannot go on: the guest has too little EPC, pages are taken before they are
 * used, or the guest's kernel has lost a page.
 */
export type GuestTrouble = 'space' | 'progress' | 'loss';

/** A result of a call of a program that cannot go on. */
export interface GuestTroubleWords {
  /** What is wrong. */
  readonly trouble: GuestTrouble;
  /** What has happened, in words. */
  readonly result: string;
}

/**
 * Why an access has failed.
 *
 * @param warnedIn - function in which the guest's kernel has warned during the access; null: none
 */
export function accessTrouble(
  outcome: GuestAccessId,
  { records }: Pick<Enclave, 'records'>,
  page: number,
  warnedIn: string | null,
): GuestTroubleWords {
  if (outcome === GuestAccess.FAULT_LIMIT) {
    return { trouble: 'progress', result: 'no progress: every page is reclaimed before it can be used' };
  }
  if (outcome === GuestAccess.NO_MAPPING) return { trouble: 'loss', result: 'no mapping allows it' };
  if (outcome !== GuestAccess.SIGBUS) return { trouble: 'loss', result: 'refused by the EPCM' };
  if (warnedIn === '__sgx_encl_eldu') {
    return { trouble: 'loss', result: 'SIGBUS: ELDU of the page or of its SECS has failed in the guest' };
  }
  if (warnedIn !== null) {
    return { trouble: 'loss', result: `SIGBUS: the kernel of the guest has warned in ${warnedIn}` };
  }
  if (records.epc(page) < 0 && records.slot(page) < 0) {
    return { trouble: 'loss', result: 'SIGBUS: the guest has lost the page when EWB failed' };
  }
  return {
    trouble: 'space',
    result: 'SIGBUS: the guest has no free EPC page and none can be reclaimed',
  };
}

/** Makes the errors of a virtual machine whose guest cannot go on. */
export class GuestFailures {
  readonly #epc: Epc;
  readonly #settings: ScenarioVm;

  constructor(epc: Epc, settings: ScenarioVm) {
    this.#epc = epc;
    this.#settings = settings;
  }

  /** An enclave of the guest cannot run. @param call - what has failed, such as `ADD_PAGES` */
  program(enclave: string, call: string, { trouble, result }: GuestTroubleWords): RunFailure {
    const { name } = this.#settings;
    const message = `Enclave '${enclave}' of virtual machine '${name}' cannot run: ${call} fails (${result}).`;
    const limit = trouble === 'progress' ? this.#tightLimit() : null;
    const details = limit === null ? [] : [limitWords(limit)];
    const hint = limit === null ? this.#hint(trouble) : `Raise the limit of cgroup '${limit.group}'.`;
    return new RunFailure(name, message, details, hint, { call, result });
  }

  /** The virtual machine is not up when it should be. */
  start(why: string, threads: Parameters<typeof refusingLimit>[1]): RunFailure {
    const { cgroups, frames, vepc } = this.#epc;
    const { name } = this.#settings;
    const limit = refusingLimit(cgroups, threads);
    const isReclaimed = (vepc?.oversub ?? null) !== null;
    const more = limit === null ? 'Give the machine more EPC' : `Raise the limit of cgroup '${limit.group}'`;
    return new RunFailure(
      name,
      `Virtual machine '${name}' cannot start (${why}).`,
      [
        limit === null ? `EPC: ${frames.pageCount} pages` : limitWords(limit),
        `the kernel of a guest touches all of its EPC when it starts: ${this.#pageCount} pages`,
      ],
      isReclaimed ? `${more}.` : `${more}, or let the host reclaim from guests.`,
    );
  }

  /** A limit below what the guest was given. */
  #tightLimit() {
    const limit = lowestLimit(this.#epc.cgroups, this.#settings.cgroup);
    return limit !== null && limit.pages < this.#pageCount ? limit : null;
  }

  #hint(trouble: GuestTrouble): string {
    if (trouble === 'space') return 'Give the guest more EPC.';
    if (trouble === 'progress') return 'Give the guest, or the machine, more EPC.';
    const { kernel = 'linux-6' } = this.#settings;
    const less = 'Give the guest more EPC, so that its kernel evicts less';
    return kernel === 'epckit'
      ? `${less}.`
      : `${less}, or kernel: epckit, which has defects of Linux repaired.`;
  }

  /** EPC of the guest. */
  get #pageCount(): number {
    return this.#settings.sections.reduce((sum, { pageCount }) => sum + pageCount, 0);
  }
}
