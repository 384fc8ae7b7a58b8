import { DestroyingKiller, NativeOwner } from '@epckit/enclave/recipes';
import type { Routine } from '@epckit/interface';
import { Errno, Killed, NONE, Pin } from '@epckit/interface';
import type { Preset } from 'epckit';
import { epckit, linux6 } from 'epckit';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../src/index.js';
import { explore } from '../../src/index.js';
import { Scene, sceneCase } from './scene.js';

/** The kill of the 2020 trees, which had no dynamic memory. */
const destroying: Preset = {
  ...linux6,
  dynamicMemory: false,
  enclave: { owner: (parts) => new NativeOwner(parts, new DestroyingKiller(parts)) },
};

const presets: readonly (readonly [string, Preset])[] = [
  ['marks (linux-6)', linux6],
  ['marks (epckit)', epckit],
  ['destroys (2020)', destroying],
];

type Victim = ReturnType<Scene['build']>;

/** Pins the enclave as a victim policy does, unless it is gone, and kills it. */
function* kill(scene: Scene, victim: Victim, cpu = 0): Routine<number> {
  const { owner } = scene.epc.driver;
  const thread = scene.thread(cpu);
  if (thread.clock > thread.limit) yield victim.refs.writing;
  if (!victim.refs.getUnlessZero(thread)) return NONE;
  return yield* owner.kill(thread, victim.id);
}

/** Everything of the process and of the enclave goes: nothing of the EPC may be missing afterwards. */
function close(scene: Scene, victim: Victim): void {
  const { mapper } = scene.epc.driver;
  scene.run(mapper.unmap(scene.thread(), scene.process.mm, victim, 0, 2));
  if (!victim.isReleased) scene.run(mapper.closeFile(scene.thread(), victim));
}

/** What is wrong at the end: leaks, and entries of an enclave that dies. */
function wrongs(scene: Scene, victim: Victim, pages: number): string[] {
  const wrong: string[] = [];
  const table = scene.process.mm.table(victim.id);
  if (!victim.isReleased && table?.pte.some((entry) => entry !== 0)) wrong.push('A dying enclave is mapped.');
  if (!victim.isReleased) close(scene, victim);
  if (!victim.isReleased) wrong.push('The enclave is not released.');
  if (scene.epc.pools.free !== pages) wrong.push(`${scene.epc.pools.free} of ${pages} pages are free.`);
  return wrong;
}

/** CPU 0 kills; CPU 1 does `rival`. */
function besides(
  preset: Preset,
  name: string,
  rival: (scene: Scene, victim: Victim) => Routine<unknown>,
): Case {
  return sceneCase(`kill beside ${name}`, () => {
    const scene = new Scene({ preset });
    const victim = scene.build({ pages: 1, range: 2 });
    scene.touch(victim, 0);
    return {
      scene,
      routines: [kill(scene, victim), rival(scene, victim)],
      state: () => `${victim.isReleased} ${victim.children}`,
      wrong: () => wrongs(scene, victim, 8),
    };
  });
}

describe.each(presets)('a kill that %s', (_, preset) => {
  it('of an enclave ends in SIGBUS and gives everything back', () => {
    const scene = new Scene({ preset });
    const victim = scene.build({ pages: 2, range: 2 });
    scene.touch(victim, 0);
    expect(scene.run(kill(scene, victim))).toBe(Killed.MARKED);
    expect(scene.table(victim).frame(0)).toBe(NONE);
    expect(scene.run(scene.fault(1, victim, 0))).toBe(1);
    expect(scene.run(kill(scene, victim))).toBe(Killed.ALREADY_DYING);
    expect(scene.broken()).toEqual([]);
    expect(scene.epc.pools.free).toBe(preset === destroying ? 8 : 4);
    expect(wrongs(scene, victim, 8)).toEqual([]);
  });

  it('refuses the ioctls', () => {
    const scene = new Scene({ preset });
    const victim = scene.build({ pages: 1, range: 2 });
    const { driver } = scene.epc;
    const { mm } = scene.process;
    scene.run(kill(scene, victim));
    const thread = scene.thread();
    const add = { page: 1, count: 1, type: 2, prot: 3, isMeasured: false } as const;
    expect(scene.run(driver.addPages.run(thread, mm, victim, add)).result).toBe(-Errno.ENOMEM);
    expect(scene.run(driver.init.run(thread, victim, {}))).toBe(-Errno.ENOMEM);
    const other = scene.epc.createProcess('Q');
    const map = driver.mapper.map(thread, other.mm, victim, { start: 0, end: 1, prot: 1 });
    expect(scene.run(map)).toBe(-Errno.ENOMEM);
    const restrict = driver.restrictPermissions.run(thread, victim, { page: 0, count: 1, prot: 1 } as never);
    const noDevice = preset === destroying;
    expect(scene.run(restrict).result).toBe(noDevice ? -Errno.ENODEV : -Errno.ENOMEM);
  });

  it('throws out the thread inside, which does not come back', () => {
    const scene = new Scene({ preset });
    const victim = scene.build({ pages: 1, hasTcs: true });
    const user = scene.cpu(1);
    scene.run(user.load(scene.process), 1);
    scene.run(scene.fault(1, victim, 1), 1);
    scene.run(user.enter(victim, 1), 1);
    expect(user.isInside).toBe(true);
    scene.run(kill(scene, victim));
    expect(user.isInside).toBe(false);
    expect(scene.run(user.resume(), 1)).toBe(false);
    expect(wrongs(scene, victim, 8)).toEqual([]);
  });

  it('beside a fault: no order is wrong', { timeout: 60_000 }, () => {
    const found = explore(
      besides(preset, 'a fault', (scene, victim) => scene.fault(1, victim, 0)),
      { strategy: 'dfs', preemptions: 2 },
    );
    expect(found).toMatchObject({ finding: null });
  });

  it('beside a batch: no order is wrong', { timeout: 60_000 }, () => {
    const found = explore(
      besides(preset, 'a batch', (scene) => scene.batch(1)),
      { strategy: 'dfs', preemptions: 2 },
    );
    expect(found).toMatchObject({ finding: null });
  });

  it('beside the end of the file: no order is wrong', { timeout: 60_000 }, () => {
    function* end(scene: Scene, victim: Victim): Routine<void> {
      const { mapper } = scene.epc.driver;
      yield* mapper.unmap(scene.thread(1), scene.process.mm, victim, 0, 2);
      yield* mapper.closeFile(scene.thread(1), victim);
    }
    const found = explore(besides(preset, 'the end of the file', end), { strategy: 'dfs', preemptions: 2 });
    expect(found).toMatchObject({ finding: null });
  });

  it('beside another kill: one of them marks', { timeout: 60_000 }, () => {
    const found = explore(
      besides(preset, 'another kill', (scene, victim) => kill(scene, victim, 1)),
      { strategy: 'dfs', preemptions: 2 },
    );
    expect(found).toMatchObject({ finding: null });
  });
});

it('an enclave that is not created yet refuses to be killed, and its pin is put', () => {
  const scene = new Scene();
  const victim = scene.epc.driver.open();
  expect(scene.run(kill(scene, victim))).toBe(Killed.REFUSED);
  expect([victim.isDying, victim.isReleased]).toEqual([false, false]);
  scene.run(scene.epc.driver.mapper.closeFile(scene.thread(), victim));
  expect(victim.isReleased).toBe(true);
});

it('the victim of a page is pinned through its owner', () => {
  const scene = new Scene();
  const victim = scene.build({ pages: 1 });
  const { owner } = scene.epc.driver;
  expect(owner.get(scene.thread(), victim.records.epc(0))).toBe(Pin.PINNED);
  expect(scene.run(owner.kill(scene.thread(), victim.id))).toBe(Killed.MARKED);
});

it('a driver with dynamic memory does not destroy', () => {
  const enclave = destroying.enclave ?? {};
  expect(() => new Scene({ preset: { ...linux6, enclave } })).toThrowError(/dynamic memory/);
});
