import { Bench } from 'tinybench';

/** A routine that pauses `pauses` times at `depth` nested generators: the cost of a point that is taken. */
function* routine(depth: number, pauses: number): Generator<number, number, void> {
  if (depth > 1) return yield* routine(depth - 1, pauses);
  for (let pause = 0; pause < pauses; pause++) yield pause;
  return pauses;
}

function drive(depth: number, pauses: number): number {
  const steps = routine(depth, pauses);
  let sum = 0;
  for (let step = steps.next(); !step.done; step = steps.next()) sum += step.value;
  return sum;
}

const bench = new Bench({ name: 'routine: 100 pauses' });
for (const depth of [1, 2, 4]) {
  bench.add(`depth ${depth}`, () => {
    drive(depth, 100);
  });
}
await bench.run();
console.log(bench.name);
console.table(bench.table());
