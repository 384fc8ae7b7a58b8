// One locale for everyone: output must not depend on the machine.
const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Writes a count with thousands separators: `28,127,294`. */
export function formatCount(value: number): string {
  return counts.format(value);
}

/** Writes a ratio with a fixed number of decimals; `-` if it is not defined. */
export function formatRatio(numerator: number, denominator: number, decimals: number): string {
  return denominator === 0 ? '-' : (numerator / denominator).toFixed(decimals);
}

/** Writes cycles as seconds with six decimals. */
export function formatSeconds(cycles: number, clockGhz: number): string {
  return (cycles / (clockGhz * 1e9)).toFixed(6);
}

/** Writes a number of EPC pages as MiB, with as many decimals as it needs (at most three). */
export function formatMebibytes(pageCount: number): string {
  return `${Number((pageCount / 256).toFixed(3))} MiB`;
}
