/** A number with its noun: `1 CPU`, `2 CPUs`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
