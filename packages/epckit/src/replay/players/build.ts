import type { AddArgument, AddSource, Enclave } from '@epckit/enclave';
import { exclusive } from '@epckit/enclave';
import type { PageTypeId } from '@epckit/interface';
import { Attribute, Errno, PageType } from '@epckit/interface';
import type { StepObject } from '../step.js';
import { choice, flag, integer, number, text } from '../step.js';
import type { PlayContext } from './context.js';
import type { Family, Played } from './family.js';
import { CALL_KEYS } from './family.js';
import { errnoWord, protOf } from './words.js';

const PAGE_BYTES = 4096;

/** Signature fields of `init`; each has a mask. */
const SIGNATURE_KEYS = [
  'sig_attributes',
  'sig_attributes_mask',
  'sig_miscselect',
  'sig_misc_mask',
  'sig_xfrm',
  'sig_xfrm_mask',
] as const;

/** Calls that build an enclave. */
export const buildFamily: Family = {
  create: {
    keys: [...CALL_KEYS, 'size_pages', 'size_bytes', 'base', 'attributes', 'debug', 'bad_src', 'bad_arg'],
    play: create,
  },
  add: {
    keys: [
      ...CALL_KEYS,
      'page',
      'count',
      'offset',
      'length',
      'type',
      'perms',
      'secinfo',
      'secinfo_reserved',
      'measure',
      'src',
      'bad_src',
      'bad_secinfo',
      'bad_arg',
      'signal_after',
    ],
    play: add,
  },
  init: {
    keys: [...CALL_KEYS, 'vendor', ...SIGNATURE_KEYS, 'bad_src', 'bad_arg', 'signal_after'],
    play: init,
  },
  provision: { keys: [...CALL_KEYS, 'fd', 'bad_arg'], play: provision },
  ioctl_unknown: { keys: CALL_KEYS, play: ioctlUnknown },
};

function create(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const { driver } = context.epc;
  const enclave = context.enclaves.get(name) ?? context.open(step, name);
  if (typeof enclave === 'string') return { r: enclave };
  const bytes = number(step, 'size_bytes', number(step, 'size_pages', 0) * PAGE_BYTES);
  const pageCount = bytes / PAGE_BYTES;
  const base = number(step, 'base', Number.NaN);
  const debug = flag(step, 'debug') ? Attribute.DEBUG : 0;
  const argument = {
    pageCount,
    basePage: Number.isNaN(base) ? driver.chooseBasePage(Math.ceil(pageCount)) : base / PAGE_BYTES,
    attributes: number(step, 'attributes', Attribute.MODE64BIT) | debug,
    isSourceBad: flag(step, 'bad_src'),
    isArgumentBad: flag(step, 'bad_arg'),
  };
  const result = context.call(step, name, (cpu) => driver.create.run(cpu.thread, enclave, argument));
  return { r: errnoWord(result) };
}

function add(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const signalAfter = integer(step, 'signal_after', Number.MAX_SAFE_INTEGER);
  const { addPages } = context.epc.driver;
  const added = context.call(step, name, ({ thread }, { mm }) => {
    const beforePage = (done: number): void => {
      if (done === signalAfter) thread.signalPending = true;
    };
    return addPages.run(thread, mm, enclave, { ...addArgument(step), beforePage });
  });
  context.cpu(step).thread.signalPending = false;
  return { r: errnoWord(added.result), count: added.count };
}

function addArgument(step: StepObject): AddArgument {
  return {
    page: number(step, 'offset', integer(step, 'page', 0) * PAGE_BYTES) / PAGE_BYTES,
    count: number(step, 'length', integer(step, 'count', 1) * PAGE_BYTES) / PAGE_BYTES,
    ...secInfoOf(step),
    isMeasured: flag(step, 'measure'),
    source: sourceOf(step),
    isSecInfoReserved: flag(step, 'secinfo_reserved'),
    isSecInfoBad: flag(step, 'bad_secinfo'),
    isArgumentBad: flag(step, 'bad_arg'),
  };
}

/** Type and flags of SECINFO, raw or by name. */
function secInfoOf(step: StepObject): { readonly type: PageTypeId; readonly prot: number } {
  if (step['secinfo'] !== undefined) {
    const raw = BigInt(integer(step, 'secinfo', 0));
    const type = Number((raw >> 8n) & 0xffn) as PageTypeId;
    // The driver looks at the lowest bits one by one; any other bit is a reserved one.
    const isReserved = (raw & ~0xff07n) !== 0n;
    return { type, prot: Number(raw & 7n) | (isReserved ? 8 : 0) };
  }
  const typeName = choice(step, 'type', Object.keys(PageType) as (keyof typeof PageType)[], 'REG');
  const perms = text(step, 'perms', typeName === 'TCS' ? '-' : 'rw');
  return { type: PageType[typeName], prot: protOf(perms) };
}

const sources: Readonly<Record<string, AddSource>> = {
  noexec: 'noexec',
  unmapped: 'unmapped',
  hole: 'unmapped',
  misaligned: 'misaligned',
};

function sourceOf(step: StepObject): AddSource {
  if (flag(step, 'bad_src')) return 'unmapped';
  if (step['src'] === undefined) return 'good';
  return sources[choice(step, 'src', Object.keys(sources))] as AddSource;
}

function init(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const signalAfter = integer(step, 'signal_after', Number.MAX_SAFE_INTEGER);
  const { driver } = context.epc;
  const result = context.call(step, name, ({ thread }) => {
    const onSleep = (sleeps: number): void => {
      if (sleeps > signalAfter) thread.signalPending = true;
    };
    return driver.init.run(thread, enclave, { ...signatureOf(step), onSleep });
  });
  context.cpu(step).thread.signalPending = false;
  return { r: errnoWord(result) };
}

function signatureOf(step: StepObject) {
  return {
    vendor: integer(step, 'vendor', 0),
    attributes: integer(step, 'sig_attributes', 0),
    attributeMask: integer(step, 'sig_attributes_mask', 0),
    miscSelect: integer(step, 'sig_miscselect', 0),
    miscMask: integer(step, 'sig_misc_mask', 0),
    xfrm: BigInt(integer(step, 'sig_xfrm', 0)),
    xfrmMask: BigInt(integer(step, 'sig_xfrm_mask', 0)),
    isSourceBad: flag(step, 'bad_src'),
    isArgumentBad: flag(step, 'bad_arg'),
  };
}

function provision(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave = context.enclave(name);
  const argument = {
    isProvisionFile: [undefined, true, 'right', 'provision'].includes(step['fd'] as string | undefined),
    isArgumentBad: flag(step, 'bad_arg'),
  };
  const { driver } = context.epc;
  const result = context.call(step, name, ({ thread }) => driver.provision.run(thread, enclave, argument));
  return { r: errnoWord(result) };
}

/** The driver knows no other command (Linux `sgx_ioctl`). */
function ioctlUnknown(context: PlayContext, step: StepObject): Played {
  const name = text(step, 'encl');
  const enclave: Enclave = context.enclave(name);
  const result = context.call(step, name, ({ thread }) => {
    return exclusive(thread, enclave, -Errno.EBUSY, unknownCommand());
  });
  return { r: errnoWord(result) };
}

function* unknownCommand(): Generator<never, number> {
  return -Errno.ENOIOCTLCMD;
}
