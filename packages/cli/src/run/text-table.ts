import Table from 'cli-table3';

const NO_BORDER = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/**
 * Lays out rows in columns, without borders and colours, so that it reads equally well in a file.
 *
 * @param head - title of each column
 * @param leftColumns - how many columns, from the first, are aligned left; the others hold numbers
 * @param moreHeads - further lines of titles
 */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  leftColumns: number,
  moreHeads: readonly (readonly string[])[] = [],
): string {
  const table = new Table({
    chars: NO_BORDER,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, column) => (column < leftColumns ? 'left' : 'right')),
  });
  const widths = head.map((title, column) =>
    Math.max(title.length, ...[...moreHeads, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  table.push(
    [...head],
    ...moreHeads.map((titles) => [...titles]),
    widths.map((width) => '-'.repeat(width)),
    ...rows.map((row) => [...row]),
  );
  return table
    .toString()
    .split('\n')
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}
