import { ACCESS_WRITE, loadTrace, samplePath, workingSetWindows } from '@epckit/trace';

const trace = await loadTrace(samplePath('sqlite3-small'));
const { referenceCount, uniquePageCount, pageChangeCount } = trace.statistics;
console.log(`${referenceCount} references to ${uniquePageCount} pages, ${pageChangeCount} page changes`);

// Which page is written most? Dense indices make this an array, not a map.
const writesOfPage = new Float64Array(trace.pageNumber.length);
for (let run = 0; run < trace.length; run++) {
  if (trace.type[run] === ACCESS_WRITE) writesOfPage[trace.page[run]!]! += trace.count[run]!;
}
const hottest = writesOfPage.indexOf(Math.max(...writesOfPage));
console.log(`page 0x${trace.pageNumber[hottest]!.toString(16)} is written ${writesOfPage[hottest]} times`);

console.log(`pages per 100,000 references: ${workingSetWindows(trace, 100_000).join(', ')}`);
