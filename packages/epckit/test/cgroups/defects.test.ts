import { Errno, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Preset, PresetName } from '../../src/index.js';
import { AccessOutcome, presetCgroups, presets } from '../../src/index.js';
import { allPresets, listening, Tenants } from './tenant.js';

const historical = ['cgroup-2020', 'cgroup-v5', 'cgroup-v17'] as const;

/** Background reclaim runs until there is nothing to do. */
function settle({ epc }: Tenants): void {
  epc.machine.runKernelThreads();
}

/** The tenant touches pages that are out until its group is full to the last page. */
function fill(
  tenants: Tenants,
  tenant: ReturnType<Tenants['tenant']>,
  path: string,
  pages: number,
): number[] {
  const out = Array.from({ length: tenant.enclave.pageCount }, (_, page) => page).filter(
    (page) => tenant.enclave.records.exists(page) && tenant.enclave.records.epc(page) < 0,
  );
  while (tenants.usage(path) < pages) tenants.touch(tenant, out.shift() as number);
  return out;
}

describe('R-06: an ancestor is full because of a sibling', () => {
  const outcome = (preset: PresetName) => {
    const tenants = new Tenants(preset, { pages: 128 });
    tenants.group('/a', 40);
    tenants.group('/a/big');
    tenants.group('/a/small');
    const big = tenants.tenant('/a/big', 60);
    expect(big.result).toBe(0);
    fill(tenants, big, '/a', 40);
    const { result } = tenants.tenant('/a/small', 4);
    expect(tenants.usage('/a')).toBeLessThanOrEqual(40);
    expect(tenants.violations()).toEqual([]);
    return result;
  };

  it.each(['cgroup-v5', 'cgroup-v17'] as const)('%s: the other cannot build, ENOMEM', (preset) => {
    expect(outcome(preset)).toBe(-Errno.ENOMEM);
  });

  it.each(['cgroup-2020', 'epckit'] as const)('%s: it can, and the sibling pays', (preset) => {
    expect(outcome(preset)).toBe(0);
  });
});

describe('R-07: faults below an ancestor that is full because of a sibling', () => {
  const outcome = (preset: PresetName) => {
    const tenants = new Tenants(preset, { pages: 128 });
    // Small enough for no design to keep a margin.
    tenants.group('/a', 30);
    tenants.group('/a/big');
    tenants.group('/a/small');
    const small = tenants.tenant('/a/small', 4);
    const big = tenants.tenant('/a/big', 60);
    // The small one has only one page on its lists.
    const all = { target: 0, maxPages: 64, isAgeIgnored: true, lookedAt: 0, evicted: 0 };
    for (let round = 0; round < 8; round++)
      tenants.run(tenants.epc.reclaimer.batch(tenants.cpu().thread, all));
    tenants.touch(small, 0);
    fill(tenants, big, '/a', 30);
    return tenants.touch(small, 1, 200);
  };

  it('cgroup-v17: come again and again', () => {
    expect(outcome('cgroup-v17')).toBe(AccessOutcome.RETRY_LIMIT);
  });

  it.each(['cgroup-2020', 'epckit'] as const)('%s: succeed', (preset) => {
    expect(outcome(preset)).toBe(AccessOutcome.OK);
  });
});

describe('R-08: the machine is full because of others', () => {
  const outcome = (preset: PresetName) => {
    const tenants = new Tenants(preset, { pages: 64 });
    tenants.group('/a');
    tenants.group('/b');
    expect(tenants.tenant('/a', 60).result).toBe(0);
    // Charges do not stop at the machine here, so that the allocator finds no page.
    const { controller } = tenants.cgroups;
    tenants.run(controller.setCapacity(tenants.cpu().thread, controller.resources[0] as never, 2 ** 30));
    const { result } = tenants.tenant('/b', 8);
    expect(tenants.violations()).toEqual([]);
    return result;
  };

  it('cgroup-v5: who is below its limit gets nothing', () =>
    expect(outcome('cgroup-v5')).toBe(-Errno.ENOMEM));
  it.each(['cgroup-2020', 'cgroup-v17', 'epckit'] as const)('%s: the others pay', (preset) => {
    expect(outcome(preset)).toBe(0);
  });
});

describe('R-14: a page is uncharged before it is free', () => {
  it.each(allPresets)('%s', (preset) => {
    const order: string[] = [];
    const probe = listening({
      uncharged: (_thread, page) => void order.push(`uncharged ${page}`),
      pageFreed: (_thread, page) => {
        if (order.at(-1) !== `uncharged ${page}`) order.push(`page ${page} is free with a charge`);
        else order.pop();
      },
    });
    const tenants = new Tenants(preset, { pages: 64, probe });
    tenants.group('/a', 20);
    order.length = 0;
    const { result, process } = tenants.tenant('/a', 40);
    expect(result).toBe(0);
    tenants.exit(process);
    expect(order).toEqual([]);
    expect(tenants.usage('/a')).toBe(0);
    expect(tenants.violations()).toEqual([]);
  });
});

describe('R-27: a batch of 64 pages with 32 slots for what it writes', () => {
  const outcome = (preset: PresetName) => {
    const tenants = new Tenants(preset, { pages: 256 });
    const group = tenants.group('/a', 200);
    expect(tenants.tenant('/a', 150).result).toBe(0);
    const request = { target: group, maxPages: 64, isAgeIgnored: true, lookedAt: 0, evicted: 0 };
    tenants.run(tenants.epc.reclaimer.batch(tenants.cpu().thread, request));
    expect(tenants.violations()).toEqual([]);
    return [request.lookedAt, request.evicted];
  };

  it('cgroup-2020: what is beyond goes back onto its list', () =>
    expect(outcome('cgroup-2020')).toEqual([64, 32]));
  it('cgroup-2020: pages that are young take no slot', () => {
    const tenants = new Tenants('cgroup-2020', { pages: 256 });
    const group = tenants.group('/a', 200);
    const tenant = tenants.tenant('/a', 150);
    expect(tenant.result).toBe(0);
    for (let page = 0; page < 32; page++) tenants.touch(tenant, page, 1);
    const request = { target: group, maxPages: 64, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
    tenants.run(tenants.epc.reclaimer.batch(tenants.cpu().thread, request));
    expect(tenants.violations()).toEqual([]);
    expect([request.lookedAt, request.evicted]).toEqual([64, 32]);
  });
  it.each(['cgroup-v5', 'epckit'] as const)('%s: there are as many slots as pages', (preset) => {
    expect(outcome(preset)).toEqual([64, 64]);
  });
});

describe('R-35: a signal is pending while a fault meets the limit', () => {
  const outcome = (preset: PresetName) => {
    const tenants = new Tenants(preset, { pages: 128 });
    tenants.group('/a', 24);
    const tenant = tenants.tenant('/a', 60);
    expect(tenant.result).toBe(0);
    const out = fill(tenants, tenant, '/a', 24);
    const { thread } = tenants.cpu();
    thread.signalPending = true;
    return tenants.touch(tenant, out.shift() as number, 50);
  };

  it.each(historical)('%s: SIGBUS', (preset) => expect(outcome(preset)).toBe(AccessOutcome.SIGBUS));
  it('epckit: the fault is repeated until there is room', () =>
    expect(outcome('epckit')).toBe(AccessOutcome.OK));
});

describe('pages of guests', () => {
  const outcome = (preset: PresetName, cgroups = presetCgroups(preset)) => {
    const killed: number[] = [];
    const probe = listening({ victimKilled: (_thread, kind) => void killed.push(kind) });
    const tenants = new Tenants(preset, { pages: 128, probe, cgroups });
    tenants.group('/vm', 8);
    const guest = tenants.guest('/vm', 32);
    const results = Array.from({ length: 10 }, (_, page) => {
      const result = guest.fault(page);
      settle(tenants);
      return result;
    });
    return { tenants, results, killed, guest };
  };

  it.each(allPresets)('%s: are charged, and nobody reclaims them', (preset) => {
    const { tenants, results } = outcome(preset);
    expect(results.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 0));
    const use = tenants.cgroups.engine.usageOf(tenants.cgroups.group('/vm'));
    expect(use).toEqual({ regular: 0, secs: 0, va: 0, vepc: 8 });
    expect(results[8]).not.toBe(0);
    expect(tenants.violations()).toEqual([]);
  });

  it('cgroup-2020: a lower limit kills the guest, whose pages come back', () => {
    const { tenants, killed, guest } = outcome('cgroup-2020');
    tenants.group('/vm', 4);
    expect(killed).toEqual([OwnerKind.GUEST]);
    expect(tenants.usage('/vm')).toBe(0);
    expect(guest.fault(20)).not.toBe(0);
  });

  it.each(['cgroup-v5', 'cgroup-v17', 'epckit'] as const)('%s: it stays above a lower limit', (preset) => {
    const { tenants, killed } = outcome(preset);
    tenants.group('/vm', 4);
    settle(tenants);
    expect([killed, tenants.usage('/vm')]).toEqual([[], 8]);
  });
});

describe('enclaves that are killed', () => {
  /** Two enclaves of SECS and version arrays, and a limit below what they have. */
  function lowered(preset: PresetName, kill?: 'mark') {
    const settings = presetCgroups(preset);
    const killed: number[] = [];
    const tenants = new Tenants(preset, {
      pages: 64,
      probe: listening({ victimKilled: (_thread, _kind, owner) => void killed.push(owner) }),
      ...(settings === null || kill === undefined
        ? {}
        : { cgroups: { ...settings, design: { ...settings.design, kill } } }),
    });
    tenants.group('/a', 40);
    const both = [tenants.tenant('/a', 4), tenants.tenant('/a', 4)];
    expect(both.map(({ result }) => result)).toEqual([0, 0]);
    tenants.group('/a', 1);
    settle(tenants);
    return { tenants, both, killed };
  }

  it('cgroup-2020: destroyed, the pages come back at once', () => {
    const { tenants, killed } = lowered('cgroup-2020');
    expect(killed.length).toBeGreaterThan(0);
    expect(tenants.usage('/a')).toBeLessThanOrEqual(2);
  });

  it('cgroup-v5: marked, the pages come back when the process goes', () => {
    const { tenants, both, killed } = lowered('cgroup-v5');
    expect(killed.length).toBeGreaterThan(0);
    const victim = both.find(({ enclave }) => enclave.id === killed[0]) as (typeof both)[number];
    expect(tenants.touch(victim, 0)).toBe(AccessOutcome.SIGBUS);
    for (const { process } of both) tenants.exit(process);
    expect(tenants.usage('/a')).toBe(0);
    expect(tenants.violations()).toEqual([]);
  });

  it.each(['cgroup-v17', 'epckit'] as const)('%s: nobody is', (preset) => {
    expect(lowered(preset).killed).toEqual([]);
  });
});

describe('presets', () => {
  it('linux-6 has no controller, epckit has one if groups are configured', () => {
    expect(presetCgroups('linux-6')).toBeNull();
    expect((presets.epckit as Preset).cgroups).toBeUndefined();
    expect(allPresets.map((preset) => presetCgroups(preset)?.design.name)).toEqual([...allPresets]);
  });
});

describe('T6: backing memory runs out', () => {
  it('epckit: all of four workloads fail, and say that backing memory was refused', () => {
    const limit = 64;
    let used = 0;
    const failures = { fails: (call: string) => call === 'shmem_page' && used++ >= limit };
    const tenants = new Tenants('epckit', { pages: 256, failures });
    tenants.group('/large', 32);
    for (let workload = 0; workload < 4; workload++) {
      const { result, process } = tenants.tenant('/large', 256);
      expect(result).toBe(-Errno.ENOMEM);
      const refusal = tenants.cgroups.refusalOf(tenants.cpu().thread);
      expect(refusal).toEqual({ refusedFor: 'backing', refusedBy: '/large' });
      tenants.exit(process);
    }
    expect(tenants.usage('/large')).toBe(0);
    expect(tenants.violations()).toEqual([]);
  });
});
