import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunReport } from 'epckit';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/index.js';
import { checkEpcFits } from '../../src/run/epc-fit.js';
import { loadTraces, traceUses } from '../../src/run/load-traces.js';
import { call, temporaryFolder } from '../captured-io.js';

const machine = 'machine: { cpus: 4, epc: 4MiB }';
const generator = 'generator: { kind: uniform, runs: 200, pages: 60 }';
const tiny = 'generator: { kind: sequential, runs: 20, pages: 20 }';
const app = `{ name: app, ${generator} }`;

/** A scenario with these virtual machines, one per line from line 3 on. */
function withVms(vms: readonly string[], more = ''): string {
  return [machine, 'vms:', ...vms.map((vm) => `  - ${vm}`), more].join('\n');
}

function write(text: string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'x.yaml'), text);
  return folder;
}

describe('vms of a scenario', () => {
  it('spells out every default', async () => {
    const folder = write(withVms([`{ name: a, epc: [{ size: 1MiB }], enclaves: [${app}] }`]));
    const { scenario } = await loadScenario('x.yaml', folder);
    expect(scenario.hostReclaim).toBe(true);
    expect(scenario.vms).toEqual([
      {
        ...{ name: 'a', cpus: [0], cgroup: null, kernel: 'epckit', migrateCycles: [] },
        sections: [{ pageCount: 256, node: 0, isPreallocated: false }],
        reclaim: { batchPages: 16, lowPages: 32, highPages: 64 },
        enclaves: [
          {
            ...{ name: 'app', trace: 'generated: uniform, vm 0, enclave 0', runs: null, repeat: 1 },
            ...{ vcpus: [0], deal: 'slices', measured: true, buildCost: true },
            ...{ startCycles: 0, stopCycles: null },
          },
        ],
      },
    ]);
  });

  it('takes the options of QEMU, and puts instances behind the enclaves of the host', async () => {
    const qemu =
      '"-object memory-backend-epc,id=a,size=1M,prealloc=on -object memory-backend-epc,id=b,size=64K -M sgx-epc.0.memdev=b,sgx-epc.1.memdev=a,sgx-epc.1.node=1"';
    const two = `{ name: app, threads: 2, ${generator}, startJitter: 1ms, stop: 2ms, runs: 9 }`;
    const folder = write(
      withVms(
        [
          `{ name: a, instances: 1, vcpus: 2, qemu: ${qemu}, enclaves: [${two}, ${app.replace('app', 'b')}] }`,
        ],
        `enclaves: [{ name: native, ${generator} }]\npreset: linux-6\nseed: 3`,
      ),
    );
    const { scenario, generators, vmEntries } = await loadScenario('x.yaml', folder);
    const [vm] = scenario.vms ?? [];
    expect(vm?.cpus).toEqual([1, 2]);
    expect(vm?.sections).toEqual([
      { pageCount: 16, node: 0, isPreallocated: false },
      { pageCount: 256, node: 1, isPreallocated: true },
    ]);
    expect(scenario.hostReclaim).toBe(false);
    expect(vm?.enclaves.map(({ vcpus }) => vcpus)).toEqual([[0, 1], [0]]);
    expect(vm?.enclaves[0]).toMatchObject({ runs: 9, stopCycles: 7_000_000 });
    expect([...generators.keys()]).toContain('generated: uniform, vm 0, enclave 1');
    expect(vmEntries).toEqual([0]);
  });

  it('takes the options of QEMU as libvirt writes them', async () => {
    const object = JSON.stringify({
      'qom-type': 'memory-backend-epc',
      id: 'm',
      prealloc: true,
      size: 262144,
    });
    const qemu = `>-\n      -object '${object}'\n      -machine q35,sgx-epc.0.memdev=m,sgx-epc.0.node=1`;
    const vm = ['name: a', `qemu: ${qemu}`, `enclaves: [${app.replace('60', '20')}]`].join('\n    ');
    const { scenario } = await loadScenario('x.yaml', write(withVms([vm])));
    expect(scenario.vms?.[0]?.sections).toEqual([{ pageCount: 64, node: 1, isPreallocated: true }]);
  });

  it('takes a trace for each thread, virtual CPUs in any order, and times of migrations', async () => {
    const own = `threads: [{ ${generator} }, { ${generator}, vcpu: 2, start: 1ms }, { trace: t.runs }]`;
    const folder = write(
      withVms(
        [
          `{ name: a, vcpus: 4, epc: [{ size: 1MiB }], kernel: epckit, migrations: [2ms, 1ms], enclaves: [{ name: own, ${own} }, { name: b, buildCost: false, vcpus: [3, 1, 1], ${generator} }, { name: c, ${generator} }] }`,
        ],
        'preset: linux-6',
      ),
    );
    const loaded = await loadScenario('x.yaml', folder);
    const [vm] = loaded.scenario.vms ?? [];
    expect(vm).toMatchObject({ kernel: 'epckit', migrateCycles: [3_500_000, 7_000_000] });
    const made = (thread: number) => `generated: uniform, vm 0, enclave 0, thread ${thread}`;
    expect(vm?.enclaves[0]).toMatchObject({
      ...{ trace: made(0), vcpus: [0], enterCycles: 0 },
      moreThreads: [
        { trace: made(1), vcpu: 2, startCycles: 3_500_000 },
        { trace: 't.runs', vcpu: 2, startCycles: 0 },
      ],
    });
    expect(vm?.enclaves.slice(1).map(({ vcpus, buildCost }) => [vcpus, buildCost])).toEqual([
      [[3, 1, 1], false],
      [[2], true],
    ]);
    expect([...loaded.generators.keys()]).toContain(made(1));
    expect(traceUses(loaded).find(({ trace }) => trace === 't.runs')?.path).toEqual([
      'vms',
      0,
      'enclaves',
      0,
      'threads',
      2,
      'trace',
    ]);
  });

  it('gives guests the kernel of Linux with presets of Linux', async () => {
    const vm = `{ name: a, epc: [{ size: 1MiB }], enclaves: [${app}] }`;
    const { scenario } = await loadScenario('x.yaml', write(withVms([vm], 'preset: kvm-oversub')));
    expect(scenario.vms?.[0]?.kernel).toBe('linux-6');
  });

  it('gives instances different names, CPUs, references and starts', async () => {
    const jittered = `{ name: app, ${generator}, startJitter: 10ms }`;
    const folder = write(
      withVms([`{ name: a, instances: 3, epc: [{ size: 1MiB }], enclaves: [${jittered}] }`]),
    );
    const { scenario, generators } = await loadScenario('x.yaml', folder);
    const vms = scenario.vms ?? [];
    expect(vms.map(({ name, cpus }) => [name, cpus[0]])).toEqual([
      ['a 0', 0],
      ['a 1', 1],
      ['a 2', 2],
    ]);
    expect(new Set(vms.map(({ enclaves }) => enclaves[0]?.startCycles)).size).toBe(3);
    expect(new Set([...generators.values()].map(({ seed }) => seed)).size).toBe(3);
  });
});

const epc = 'epc: [{ size: 1MiB }]';
const nine = Array.from({ length: 9 }, (_, at) => at);
const nineBackends = nine.map((at) => `-object memory-backend-epc,id=m${at},size=1M`).join(' ');
const nineSections = nine.map((at) => `sgx-epc.${at}.memdev=m${at}`).join(',');
/** Case, virtual machines, what follows them, message, part of the hint. */
const bad: readonly (readonly [string, readonly string[], string, string, string])[] = [
  ['nothing to run', [], '', 'x.yaml:2:5: vms must be a list', ''],
  ['no EPC', [`{ name: a, enclaves: [${app}] }`], '', 'x.yaml:3:5: vms[0] has no EPC.', 'qemu'],
  [
    'EPC twice',
    [
      `{ name: a, ${epc}, qemu: "-object memory-backend-epc,id=m,size=1M -M sgx-epc.0.memdev=m", enclaves: [${app}] }`,
    ],
    '',
    'x.yaml:3:39: vms[0].qemu and vms[0].epc exclude each other.',
    'Keep one',
  ],
  [
    'QEMU options with a backend that nobody uses',
    [`{ name: a, qemu: "-object memory-backend-epc,id=m,size=1M", enclaves: [${app}] }`],
    '',
    "x.yaml:3:22: vms[0].qemu is refused: QEMU option 'm': no section uses memory backend 'm'.",
    'sgx-epc.0.memdev',
  ],
  [
    'QEMU options with a size in MiB without its suffix',
    [
      `{ name: a, qemu: "-object memory-backend-epc,id=m,size=64 -M sgx-epc.0.memdev=m", enclaves: [${app}] }`,
    ],
    '',
    'size 64 bytes, which is no multiple of a page (4 KiB).',
    'size=64M',
  ],
  [
    'more sections than Linux uses',
    [`{ name: a, epc: [${nine.map(() => '{ size: 1MiB }').join(', ')}], enclaves: [${app}] }`],
    '',
    'x.yaml:3:21: vms[0].epc must have at most 8 entries.',
    'Linux uses 8 (SGX_MAX_EPC_SECTIONS)',
  ],
  [
    'QEMU options with more sections than Linux uses',
    [`{ name: a, qemu: "${nineBackends} -M ${nineSections}", enclaves: [${app}] }`],
    '',
    'x.yaml:3:22: vms[0].qemu must have at most 8 entries.',
    'Linux uses 8 (SGX_MAX_EPC_SECTIONS)',
  ],
  [
    'QEMU options without EPC',
    [`{ name: a, qemu: "-m 4G", enclaves: [${app}] }`],
    '',
    'x.yaml:3:22: vms[0].qemu describes no EPC section.',
    '',
  ],
  [
    'no enclaves',
    [`{ name: a, ${epc}, enclaves: [] }`],
    '',
    'x.yaml:3:49: vms[0].enclaves must not be empty.',
    '',
  ],
  [
    'a key of another place',
    [`{ name: a, ${epc}, enclaves: [{ name: app, cgroup: /a, ${generator} }] }`],
    '',
    'x.yaml:3:63: vms[0].enclaves[0].cgroup is a key of enclaves of the host only.',
    'give cgroup to the virtual machine',
  ],
  [
    'a key that is nowhere',
    [`{ name: a, ${epc}, enclaves: [{ name: app, vcup: 1, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].vcup is not a known key.',
    'Did you mean vcpu?',
  ],
  [
    'a key with the name of a method',
    [`{ name: a, ${epc}, enclaves: [{ name: app, toString: 1, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].toString is not a known key.',
    'Known here:',
  ],
  [
    'a list of threads and a trace of all',
    [`{ name: a, ${epc}, enclaves: [{ name: app, trace: t, threads: [{ ${generator} }] }] }`],
    '',
    'vms[0].enclaves[0].trace and a list of vms[0].enclaves[0].threads exclude each other.',
    'Give trace to each thread',
  ],
  [
    'a thread without references',
    [`{ name: a, ${epc}, enclaves: [{ name: app, threads: [{ vcpu: 0 }] }] }`],
    '',
    'vms[0].enclaves[0].threads[0].trace is missing.',
    'Or a generator',
  ],
  [
    'a thread on a virtual CPU that is not there',
    [`{ name: a, ${epc}, enclaves: [{ name: app, threads: [{ vcpu: 1, ${generator} }] }] }`],
    '',
    'vms[0].enclaves[0].threads[0].vcpu is 1, but the guest has 1 virtual CPU.',
    'more vcpus',
  ],
  [
    'a list of virtual CPUs with one that is not there',
    [`{ name: a, ${epc}, enclaves: [{ name: app, vcpus: [0, 1], ${generator} }] }`],
    '',
    'vms[0].enclaves[0].vcpus[1] is 1, but the guest has 1 virtual CPU.',
    'more vcpus',
  ],
  [
    'virtual CPUs twice',
    [`{ name: a, ${epc}, enclaves: [{ name: app, vcpu: 0, vcpus: [0], ${generator} }] }`],
    '',
    'vms[0].enclaves[0].vcpus and vms[0].enclaves[0].vcpu exclude each other.',
    'Keep vcpu',
  ],
  [
    'fewer virtual CPUs than threads',
    [`{ name: a, ${epc}, enclaves: [{ name: app, threads: 3, vcpus: [0, 0], ${generator} }] }`],
    '',
    'vms[0].enclaves[0].vcpus lists 2 virtual CPUs for 3 threads.',
    'leave threads out',
  ],
  [
    'two sources of references',
    [`{ name: a, ${epc}, enclaves: [{ name: app, trace: t, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].trace and vms[0].enclaves[0].generator exclude each other.',
    'Keep trace',
  ],
  [
    'version array pages that can be evicted without host reclaim',
    [`{ name: a, ${epc}, enclaves: [{ name: app, ${generator} }] }`],
    'hostReclaim: off\nhostVersionArrays: evictable',
    'hostVersionArrays is evictable, but the host takes nothing from guests.',
    'hostReclaim: on',
  ],
  [
    'a virtual CPU that is not there',
    [`{ name: a, ${epc}, enclaves: [{ name: app, vcpu: 1, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].vcpu is 1, but the guest has 1 virtual CPU.',
    'more vcpus',
  ],
  [
    'more threads than virtual CPUs',
    [`{ name: a, ${epc}, enclaves: [{ name: app, threads: 2, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].threads is 2, but the guest has 1 virtual CPU.',
    'as many vcpus',
  ],
  [
    'more CPUs than the machine has',
    [`{ name: a, instances: 5, ${epc}, enclaves: [${app}] }`],
    '',
    'x.yaml:3:5: vms[0]: a virtual CPU of "a 4" is on CPU 4, but the machine has 4 CPUs.',
    'Raise machine.cpus',
  ],
  [
    'a CPU for two of one virtual machine',
    [`{ name: a, cpus: [1, 1], ${epc}, enclaves: [${app}] }`],
    '',
    'x.yaml:3:22: vms[0].cpus: two virtual CPUs of "a" are on CPU 1.',
    'of different virtual machines',
  ],
  [
    'a list of CPUs for several',
    [`{ name: a, instances: 2, cpus: [1, 2], ${epc}, enclaves: [${app}] }`],
    '',
    'vms[0].instances is 2, but vms[0].cpus lists the CPUs of one.',
    'vcpus instead',
  ],
  [
    'as many CPUs as virtual CPUs',
    [`{ name: a, vcpus: 3, cpus: [1, 2], ${epc}, enclaves: [${app}] }`],
    '',
    'vms[0].cpus lists 2 CPUs for 3 virtual CPUs.',
    'leave vcpus out',
  ],
  [
    'a name twice',
    [`{ name: a, ${epc}, enclaves: [${app}] }`, `{ name: a, ${epc}, enclaves: [${app}] }`],
    '',
    'x.yaml:4:13: vms[1].name is "a", as that of vms[0].',
    'name of its own',
  ],
  [
    'the name of an enclave twice',
    [`{ name: a, ${epc}, enclaves: [${app}, ${app}] }`],
    '',
    'vms[0].enclaves[1].name is "app", as that of vms[0].enclaves[0].',
    'name of its own',
  ],
  [
    'marks in the wrong order',
    [`{ name: a, ${epc}, reclaim: { low: 65 }, enclaves: [${app}] }`],
    '',
    'vms[0].reclaim.low (65 pages) is above vms[0].reclaim.high (64 pages).',
    'low ≤ high',
  ],
  [
    'a group that is not there',
    [`{ name: a, cgroup: /b, ${epc}, enclaves: [${app}] }`],
    '',
    'vms[0].cgroup is /b, but there is no such group.',
    'Add cgroups',
  ],
  [
    'host reclaim that the preset has not',
    [`{ name: a, ${epc}, enclaves: [${app}] }`],
    'preset: linux-6\nhostReclaim: on',
    'x.yaml:5:14: hostReclaim is on, but preset linux-6 takes nothing from guests.',
    'epckit, kvm-oversub',
  ],
  [
    'more for guests than there is',
    [`{ name: a, instances: 4, epc: [{ size: 2MiB }], enclaves: [${app}] }`],
    'hostReclaim: off',
    'x.yaml:1:26: An EPC of 1024 pages is too small to ever run this scenario.\n  2048 for guests, which keep all of theirs\n',
    'Give at least 2048 pages, or hostReclaim: on.',
  ],
  [
    'less for a guest than its enclave needs',
    [`{ name: a, epc: [{ size: 64 pages }], enclaves: [${app}] }`],
    '',
    "An EPC of 64 pages for a guest with enclave 'app' is too small to ever run this scenario.",
    'Give at least 68 pages, or lower its reclaim.high.',
  ],
  [
    'far less for a guest than its daemon wants free',
    [`{ name: a, epc: [{ size: 1 page }], enclaves: [${app}] }`],
    '',
    "  64 that the guest's daemon keeps free (its reclaim.high)\n",
    'Give at least 68 pages.',
  ],
  [
    'less for a guest than all of its small enclave, and what wakes its daemon',
    [`{ name: a, epc: [{ size: 30 pages }], enclaves: [{ name: app, ${tiny} }] }`],
    '',
    "  23 for all pages that there will be\n  32 free besides, as fewer would wake the guest's daemon (its reclaim.low)\n",
    'Give at least 55 pages, or lower its reclaim.low.',
  ],
  [
    'fewer pages than version arrays for guests alone',
    [`{ name: a, epc: [{ size: 4GiB }], enclaves: [${app}] }`],
    '',
    '  2048 for the version arrays of guests\n',
    'Give at least 2115 pages.',
  ],
  [
    'a group without /',
    [`{ name: a, cgroup: b, ${epc}, enclaves: [${app}] }`],
    '',
    'vms[0].cgroup must be a path that begins with / and a name, not "b".',
    'such as /tenants/a',
  ],
  [
    'more runs than there are',
    [`{ name: a, ${epc}, enclaves: [{ name: app, runs: 201, ${generator} }] }`],
    '',
    'vms[0].enclaves[0].runs is 201, but the trace has 200 runs.',
    'Leave runs out',
  ],
];

describe('a scenario with vms that contradicts itself is refused', () => {
  it.each(bad)('%s', async (_case, vms, more, message, hint) => {
    const { exitCode, stderr, stdout } = await call(['run', 'x.yaml'], { cwd: write(withVms(vms, more)) });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });

  it('host reclaim without guests', async () => {
    const text = `${machine}\nhostReclaim: off\nenclaves: [${app}]\n`;
    const { stderr } = await call(['run', 'x.yaml'], { cwd: write(text) });
    expect(stderr).toContain('x.yaml:2:1: hostReclaim is given, but the scenario has no vms.');
  });
});

describe('a scenario with vms', () => {
  it('shows its guests', async () => {
    const folder = write(
      withVms([`{ name: a, ${epc}, enclaves: [${app}] }`], `enclaves: [{ name: native, ${generator} }]`),
    );
    const { exitCode, stdout } = await call(['run', 'x.yaml'], { cwd: folder });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/a: guest with 256 pages = 1 MiB, 1 enclave on CPU 1/);
    expect(stdout).toMatch(/What happened to guests \(the host takes pages from them\)/);
    expect(stdout).toMatch(/EPC pages given +256/);
    expect(stdout).toMatch(/a +app +\d+ +\d+ +0 +0 /);
  });

  it('is migrated with threads that have traces of their own', async () => {
    const threads = `threads: [{ ${generator} }, { generator: { kind: scan, runs: 300, pages: 80 } }]`;
    const vm = `{ name: a, vcpus: 2, ${epc}, migrations: [1ms], enclaves: [{ name: app, ${threads} }] }`;
    const cwd = write(withVms([vm]));
    const { exitCode, stdout } = await call(['run', 'x.yaml', '--json', 'r.json'], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/enclaves built again +1$/m);
    const [report] = (JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8')) as RunReport).vms ?? [];
    expect(report).toMatchObject({ migrations: 1, accesses: 500, stopReason: null });
    expect(report?.enclaves[0]).toMatchObject({ pages: 82, rebuilds: 1 });
  });

  it('shares CPUs with other guests and enclaves of the host', async () => {
    const vms = ['a', 'b'].map((name) => `{ name: ${name}, cpus: [0], ${epc}, enclaves: [${app}] }`);
    const cwd = write(withVms(vms, `enclaves: [{ name: native, ${generator} }]`));
    const { exitCode, stdout } = await call(['run', 'x.yaml'], { cwd });
    expect(exitCode).toBe(0);
    for (const name of ['a', 'b'])
      expect(stdout).toContain(`${name}: guest with 256 pages = 1 MiB, 1 enclave on CPU 0`);
  });

  it('needs no room for the host if nobody is reclaimed', async () => {
    const folder = write(
      withVms([`{ name: a, instances: 4, ${epc}, enclaves: [${app}] }`], 'hostReclaim: off'),
    );
    const loaded = await loadScenario('x.yaml', folder);
    checkEpcFits(loaded, await loadTraces(loaded, folder, () => {}));
  });
});
